"""Stand-in for SNAP's gpt: the command line, the ways to fail, and the order of a graph's nodes."""

import fcntl
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

from geobservatory.engines.snap.catalogue import operators, problems
from geobservatory.engines.snap.graph import Graph, Node, read_graph
from geobservatory.errors import InputError


def main(name: str, arguments: list[str], switches: dict[str, str]) -> int:
    """Do as gpt does."""
    del name
    version = os.environ.get("STANDIN_VERSION", switches.get("version", "10.0.0"))
    fail = os.environ.get("STANDIN_FAIL", switches.get("fail", ""))
    # It is told which step it is to fail at; every one if none.
    step = os.environ.get("STANDIN_STEP", switches.get("step", ""))
    if "--diag" in arguments:
        print(f"SNAP Release version {version}\nSNAP home: /opt/esa-snap\nSNAP debug: null")
        return 0
    if "-h" in arguments:
        return _help(arguments[0])
    graph_path = Path(next(one for one in arguments if one.endswith(".xml")))
    user = Path(
        next(one for one in arguments if one.startswith("-J-Dsnap.userdir=")).split("=", 1)[1]
    )
    print("INFO: org.esa.snap.core.gpf.operators.tooladapter.ToolAdapterIO: Initializing")
    print("INFO: org.hsqldb.persist.Logger: dataFileCache open start", flush=True)
    graph = read_graph(graph_path)
    failing = fail if step in ("", *(node.operator for node in graph)) else ""
    user.mkdir(parents=True, exist_ok=True)
    with (user / "hsqldb.lck").open("w") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            failing = "locked"
        return _run(graph, user, version, failing, Path(graph_path).parent)


def _help(name: str) -> int:
    """Describe an operator as `gpt OPERATOR -h` does, by the catalogue."""
    known = operators().get(name)
    if known is None:
        print(f"Error: Unknown operator '{name}'.")
        return 1
    most = known.sources[1]
    source = {0: None, 1: "sourceProduct"}.get(most, "sourceProducts")
    sources = "" if source is None else f"        <{source}>${{{source}}}</{source}>\n"
    print(f"Usage:\n  gpt {name} [options]\n\nParameter Options:")
    for one in known.parameters.values():
        print(f"  -P{one.name}=<{one.type}>    As the catalogue has it.")
        if one.default is not None:
            print(f"{'':36}Default value is '{one.default}'.")
    listed = "".join(f"        <{one}>string</{one}>\n" for one in known.parameters)
    print(
        f'\nGraph XML Format:\n  <graph id="someGraphId">\n    <version>1.0</version>\n'
        f'    <node id="someNodeId">\n      <operator>{name}</operator>\n'
        f"      <sources>\n{sources}      </sources>\n      <parameters>\n{listed}"
        "      </parameters>\n    </node>\n  </graph>"
    )
    return 0


def _run(graph: Graph, user: Path, version: str, failing: str, folder: Path) -> int:
    found = list(problems(graph, version.split(".")[0]))
    if failing.startswith("unknown:"):
        parameter = failing.partition(":")[2]
        found += [
            f"[NodeId: {node.id}] Operator '{node.operator}': Unknown element '{parameter}'"
            for node in graph
            if parameter in node.parameters
        ]
    if found:
        return _error(found[0])
    print("Executing processing graph", flush=True)
    if (status := _fails(failing, graph)) is not None:
        return status
    from standins.snap_operators import Machine
    from standins.snap_products import OperatorError

    machine = Machine(user, version, "positive" if failing == "sign" else "")
    sys.stdout.write("....10%")
    sys.stdout.flush()
    try:
        for number, node in enumerate(graph, start=1):
            machine.work(node)
            if failing == "cut" and node.operator == "Write":
                image = next(Path(node.parameters["file"]).with_suffix(".data").glob("*.img"))
                os.truncate(image, image.stat().st_size // 2)
            share = 10 + 90 * number // sum(1 for _ in graph)
            sys.stdout.write(f"....{share}%")
            sys.stdout.flush()
    except (OperatorError, InputError) as error:
        return _error(f"[NodeId: {_failed(graph, machine).id}] {error}")
    print(" done.")
    return 0


def _failed(graph: Graph, machine: Any) -> Node:
    return next(node for node in graph if node.id not in machine.made)


def _error(message: str) -> int:
    """Fail as gpt does: the message twice, with the trace of the Java stack between."""
    print(f" done.\norg.esa.snap.core.gpf.graph.GraphException: {message}")
    print("\tat org.esa.snap.core.gpf.graph.NodeContext.initTargetProduct(NodeContext.java:79)")
    print(f"\nError: {message}")
    return 1


def _fails(failing: str, graph: Graph) -> int | None:
    """Fail in one of the ways that do not depend on the data; None to go on."""
    last = list(graph)[-1]
    match failing:
        case "status-0":
            _error(f"[NodeId: {last.id}] java.lang.NullPointerException")
            return 0
        case "silent":
            print(" done.")
            return 0
        case "heap":
            print("java.lang.OutOfMemoryError: Java heap space", flush=True)
            return 1
        case "killed":
            os.kill(os.getpid(), signal.SIGKILL)
        case "hangs":
            time.sleep(3600)
        case "locked":
            return _error(
                "org.hsqldb.HsqlException: Database lock acquisition failure: attempt to "
                "connect while db opening /closing"
            )
        case "unreachable":
            return _error(f"[NodeId: {last.id}] java.net.UnknownHostException: step.esa.int")
        case "no-intersection":
            print(
                "WARNING: org.esa.snap.core.gpf.common.SubsetOp: No intersection with source "
                "product boundary"
            )
            return 0
        case _:
            return None
    return None
