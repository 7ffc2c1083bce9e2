"""The official test vectors of MLS, run against the engine: ``python -m wxclient.mls.vectors``.

Source: the files of the MLS working group's ``mls-implementations``, in their published format.
"""
