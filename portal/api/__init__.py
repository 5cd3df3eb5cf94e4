"""Our own interface for programs: REST under ``/api``, OGC API Features under ``/ogc``."""
