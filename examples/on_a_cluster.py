"""Copy a stack, and count the tiles of its layers, with the workers of a Dask cluster.

``--queue`` has SLURM start the workers (``pip install dask-jobqueue``; the classes for LSF, PBS, SGE and HTCondor take
the same words); without it they are processes of this machine. The connection comes from the environment (RENDER_HOST,
RENDER_PORT, RENDER_OWNER, RENDER_PROJECT), and so does that of the workers.

    python on_a_cluster.py montage montage_copy --workers 2
"""

import argparse
from functools import partial

from distributed import Client, LocalCluster

import renderapi


def cluster_of(queue, workers):
    """Start workers: jobs of one core and 4 GB in a queue of SLURM, or processes here."""
    if queue is None:
        return LocalCluster(n_workers=workers, threads_per_worker=1, dashboard_address=None)
    from dask_jobqueue import SLURMCluster

    cluster = SLURMCluster(queue=queue, cores=1, memory="4GB", walltime="02:00:00")
    cluster.scale(jobs=workers)
    return cluster


def main():
    """Run the example."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("stack")
    parser.add_argument("copy")
    parser.add_argument("--queue")
    parser.add_argument("--workers", type=int, default=2)
    options = parser.parse_args()

    render = renderapi.connect(web_only=True)
    with cluster_of(options.queue, options.workers) as cluster, Client(cluster) as client:
        # functions of the package take the cluster as an executor
        copied = renderapi.transfer.copy_stack(
            options.stack, options.copy, executor=client.get_executor(), render=render
        )
        print(f"{copied.content.count} tiles are in {options.copy}")

        # work of your own goes to the workers layer by layer: a connection pickles
        layers = renderapi.stack.get_z_values_for_stack(options.copy, render=render)
        read = partial(renderapi.tilespec.get_tile_specs_from_z, options.copy, render=render)
        for z, tiles in zip(layers, client.gather(client.map(lambda z: len(read(z)), layers))):
            print(f"z {z}: {tiles} tiles")


if __name__ == "__main__":
    main()
