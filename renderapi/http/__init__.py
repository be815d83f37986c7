"""The way to a server: sessions, requests and their answers, URLs, settings, and what gives them to functions.

`transport` sends and judges, by the `sessions` that keep its settings and the `deadline` of a call; `urls` builds
URLs and declares which requests may be repeated; `access` fills the settings of a connection, or of the
`environment`, into calls. No module here knows what a stack or a tile is.
"""
