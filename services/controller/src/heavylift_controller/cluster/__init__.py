"""The cluster as the place where workers run: what is seen of it, and the few things that are written to it.

Rights that it needs, all in the namespace of the pools; where one marked * is missing it says so once and goes on:

| API group | resource | verbs | what for |
|---|---|---|---|
| apps | deployments | get, list, watch | how many workers a pool asks for, and who set it |
| apps | deployments/scale | patch | the number |
| apps | replicasets | list, watch | * with the guard: which pods wait to be drained |
| (core) | pods | get, list, watch | the workers |
| (core) | pods/status | patch | the deletion cost, which is an annotation; this admits no change of what a pod runs |
| coordination.k8s.io | leases | get, create, update | who of several controllers leads |
| events.k8s.io | events | create | * what happened, for `kubectl describe` |
| heavylift.dev | workerpools | list, watch, create, patch | * what people ask for |
| heavylift.dev | workerpools/status | patch | * what was decided, for `kubectl get` |
| autoscaling | horizontalpodautoscalers | list | * other autoscalers of the same Deployments |
| keda.sh | scaledobjects | list | * the same |
| (core) | resourcequotas | list | * how many more pods are admitted |
"""
