"""The brain as KEDA's external scaler: KEDA scales out by the number served here, this controller scales in.

Nothing here is imported by the package itself: gRPC costs memory and time at the start, and KEDA is never required.
"""
