"""What pyroSAR 0.39 needs of older systems; with GDAL 3.10 and Debian 13's Python none of it.

pyroSAR writes into the home folder when it is imported: it is given one of its own.
"""

import os
import sqlite3
import sys
from pathlib import Path


def before_import(home: Path) -> None:
    """Make the import of pyroSAR possible."""
    os.environ["HOME"] = str(home)
    if not hasattr(sqlite3.Connection, "enable_load_extension"):
        # Python built without loadable extensions (Debian 12's images): spatialist asks for
        # pysqlite2 then, which `pysqlite3-binary` is under another name.
        import pysqlite3

        sys.modules["pysqlite2"] = pysqlite3
        sys.modules["pysqlite2.dbapi2"] = pysqlite3.dbapi2
    from osgeo import gdal_array

    if not hasattr(gdal_array, "UseExceptions"):
        # GDAL before 3.7 (Debian 12 has 3.6).
        gdal_array.UseExceptions = lambda: None
