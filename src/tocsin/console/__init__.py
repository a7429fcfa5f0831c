"""The console: the door for people, as pages in a browser.

In: requests with a session cookie, and the wired application. Out: HTML, with every state in
its address; no business rule inside.
"""
