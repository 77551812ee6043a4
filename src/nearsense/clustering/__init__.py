"""What are these texts about? Groups of texts near in sense, with names. Not which texts say the same."""

from nearsense.clustering.clustered import cluster
from nearsense.clustering.clusters import Cluster, Clusters
from nearsense.clustering.kept import load_clusters

__all__ = ["Cluster", "Clusters", "cluster", "load_clusters"]
