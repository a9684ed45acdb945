"""The network process of a stack: its bridges, its names, its published ports, its way out.

    this machine's network             the hub: a namespace           rooms: one of each service
    ----------------------             --------------------           --------------------------
    127.0.0.1:PORT  <- Relay ------->  a bridge for each network <--> eth0, eth1 ...: the service
    other places    <- Outbound <----  what leads outside ends here   127.0.0.11: its resolver
    its resolvers   <- Exchange <------------------------------------ names of other places

The main thread (`loop`, `relay`, `connections` of the guard) is in this machine's network. A second
one (`Inside`) is in the stack's namespaces, and makes the sockets that the first one uses there.
The hub routes nothing, so that the networks of a stack do not reach each other through it.
"""
