"""Acts on trouble without breaking the business: playbooks, gate, approvals, leases.

In: a playbook, a target, a person's word. Out: a containment that is verified, recorded and undone.

How a CACAO 2.0 step maps to what Tocsin does (a playbook with anything else is refused at load):

- ``openc2-http`` command: one OpenC2 1.0 command in ``content_b64``, given to the agent of the
  step. Playbook variables inside it are replaced value by value after decoding, never by joining
  text. The agent named ``tocsin`` answers ``locate`` (whose address is that), ``query`` and
  ``delete`` of ``x-tocsin:lease``; any other agent name is an action of a connector and takes
  ``deny`` with a ``duration`` in milliseconds. ``args.x-tocsin.plan_only`` asks the gate without
  writing. An address may be of either family whatever the target is called.
- ``manual`` command with the step extension ``APPROVAL_EXTENSION``: a person approves the plan of
  the last ``plan_only`` step before ``deadline_s`` (or the step's ``timeout``) has passed.
- ``__address__``, ``__lease_ms__`` and ``__case__`` are given to a playbook that declares them as
  external variables; ``__error__`` tells a step on the way of a failure what failed. ``out_args``
  named ``__x__`` takes the answer ``x`` of the commands (listed in ``command.py``).
- start, end, action, if-, while- (at most 100 rounds), switch-condition and parallel are walked.
- The gate stands before every ``deny`` whatever the playbook says, and asks on its own when the
  playbook forgot to. ``delete`` with ``start_time`` waits for the lease to end, then checks that
  the containment is really gone.
"""
