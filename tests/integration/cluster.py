"""A Ray cluster of several nodes on this machine, in a process of its own. Says its address; `kill` kills a node."""

import json
import sys

from ray.cluster_utils import Cluster


def main(temp_dir: str, nodes: int) -> None:
    cluster = Cluster(
        initialize_head=True,
        head_node_args={"num_cpus": 1, "include_dashboard": False, "temp_dir": temp_dir, "object_store_memory": 10**8},
    )
    others = [cluster.add_node(num_cpus=1, object_store_memory=10**8) for _ in range(nodes - 1)]
    print(cluster.address, flush=True)
    for line in sys.stdin:
        if line.strip() == "kill":
            cluster.remove_node(others.pop(), allow_graceful=False)
            print("killed", flush=True)
        if line.strip() == "jobs":
            import ray

            ray.init(cluster.address, log_to_driver=False)
            print(json.dumps(ray._private.state.jobs(), default=str), flush=True)
            ray.shutdown()
    cluster.shutdown()


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
