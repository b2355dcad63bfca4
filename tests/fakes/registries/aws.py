"""The part of AWS's API for ECR that the image builder asks, in front of a box.

https://docs.aws.amazon.com/AmazonECR/latest/APIReference/
"""

from __future__ import annotations

import base64
import datetime as dt

from .box import Box


class AwsError(Exception):
    """In the form of botocore's ClientError."""

    def __init__(self, code, status=400):
        super().__init__(code)
        self.response = {"Error": {"Code": code}, "ResponseMetadata": {"HTTPStatusCode": status}}


class NoCredentialsError(Exception):
    """Known by its name, as botocore's."""


class Aws:
    """In the form of botocore's client; called in threads.

    :param clock: passwords end twelve hours after they are made.
    """

    LIFETIME = 12 * 3600

    def __init__(self, box: Box, clock) -> None:
        self.box = box
        self.clock = clock
        self.calls: list[str] = []
        self.errors: list[Exception] = []  #: raised by the next calls
        self.failures: list[dict] = []
        self.arguments: dict = {}
        self.closed = False

    def get_authorization_token(self):
        self._call("get_authorization_token")
        self.box.password = f"password-{len(self.calls)}"
        self.box.expired = False
        ends = dt.datetime.fromtimestamp(self.clock.now() + self.LIFETIME, tz=dt.UTC)
        token = base64.b64encode(f"AWS:{self.box.password}".encode()).decode()
        return {"authorizationData": [{"authorizationToken": token, "expiresAt": ends}]}

    def create_repository(self, *, registryId, repositoryName, **more):  # noqa: N803
        self._call("create_repository")
        self.arguments = {"registryId": registryId, **more}
        if repositoryName in self.box.repositories:
            raise AwsError("RepositoryAlreadyExistsException")
        self.box.repositories[repositoryName] = {}
        return {"repository": {"repositoryName": repositoryName}}

    def batch_delete_image(self, *, registryId, repositoryName, imageIds):  # noqa: N803
        self._call("batch_delete_image")
        tags = self.box.repositories.get(repositoryName)
        if tags is None:
            raise AwsError("RepositoryNotFoundException")
        if self.failures:
            return {"imageIds": [], "failures": self.failures}
        failures = [
            {"imageId": image, "failureCode": "ImageNotFound"}
            for image in imageIds
            if tags.pop(image["imageTag"], None) is None
        ]
        return {"imageIds": imageIds, "failures": failures}

    def close(self):
        self.closed = True

    def _call(self, name):
        self.calls.append(name)
        if self.errors:
            raise self.errors.pop(0)
