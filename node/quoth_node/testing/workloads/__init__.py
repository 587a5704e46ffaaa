"""What clients do to a cluster while it suffers, each with the invariant that must hold.

workload.py  recorder.py     the face of a workload, and where its clients write down what they do
speaker.py                   one face for all clients: an answer, NotDone, Refused, Open or Strange
    plain.py  own.py         plain HTTP from node to node as the official client; `quoth` itself
    speakers.py              who is which: even numbers speak plain HTTP
rotation.py                  keys in use, which retire before a search takes too long
catalogue.py                 all workloads by name: registers.py (R1), bank.py (R2),
                             list_append.py (R3), set_full.py (R4), identities.py (R6),
                             sequences.py (R7), promises.py (R8), sessions.py (R9)
"""
