"""Acts on trouble without breaking the business: playbooks, gate, approvals, leases.

In: a playbook, a target, a person's word. Out: a containment that is verified, recorded and undone.

How a CACAO 2.0 step maps to what Tocsin does (a playbook with anything else is refused at load):

- ``openc2-http`` command: one OpenC2 1.0 command in ``content_b64`` (or, easier to read, as plain
  JSON in ``content``), given to the agent of the step. Playbook variables inside it are replaced
  value by value after decoding, never by joining text. The agent named ``tocsin`` answers
  ``locate`` (who owns the address), ``query`` and ``delete`` of ``x-tocsin:lease``; any other
  agent name is an action of a connector and takes ``deny`` with a ``duration`` in milliseconds.
  ``args.x-tocsin.plan_only`` asks the gate without writing.
- ``manual`` command with the step extension ``APPROVAL_EXTENSION``: a person approves the plan of
  the last ``plan_only`` step before ``deadline_s`` has passed.
- The gate stands before every ``deny`` whatever the playbook says, and asks on its own when the
  playbook forgot to. ``delete`` with ``start_time`` waits for the lease to end, then checks that
  the containment is really gone.
"""
