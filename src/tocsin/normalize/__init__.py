"""Says what a record means: a declared mapping turns native fields into OCSF columns.

In: decoded records and the connectors' ``mapping.yml`` files.
Out: event batches, one a lane, native fields kept beside OCSF columns.
"""
