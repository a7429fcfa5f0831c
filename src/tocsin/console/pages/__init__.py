"""One file a page: its routes and what its template shows. In: a visit. Out: HTML."""

from tocsin.console.pages import queue, sign_in

PAGES = (sign_in.router, queue.router)
