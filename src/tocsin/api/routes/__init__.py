"""One file a noun of the API. In: a request and the wired house. Out: a response model."""
