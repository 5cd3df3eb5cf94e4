"""OGC API Features: results as layers that QGIS and GDAL open by their address."""
