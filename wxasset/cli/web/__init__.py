"""The application of `wxasset web`: a page for the library of an account, in a browser on the same machine.

The page is plain HTML, CSS and JavaScript in `static`. `door` and `guard` check each request, `library`, `cloud` and
`status` answer it, `server` listens.
"""
