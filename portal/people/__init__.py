"""The portal's pages for people: server-rendered HTML first, maps and pictures on top."""
