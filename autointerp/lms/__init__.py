"""Language models that answer requests: on this machine, in vLLM, on servers; batches, a cache, and other processes.

Each module is imported where it is needed: some bring torch, some vLLM, and a search needs none of them.
"""
