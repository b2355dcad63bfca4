"""``jupyterhub-imagebuilder build``: builds from a shell or a CI job, by the REST API.

It imports neither the service nor a client of Kubernetes.
"""
