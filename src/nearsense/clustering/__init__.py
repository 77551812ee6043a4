"""What are these texts about? Groups of texts near in sense, with names. Not which texts say the same."""

from nearsense.clustering.clusters import Clusters, cluster, load_clusters
from nearsense.clustering.records import Cluster

__all__ = ["Cluster", "Clusters", "cluster", "load_clusters"]
