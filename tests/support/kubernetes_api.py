"""A small API of Kubernetes in memory, for the real kubectl: objects are kept, controllers are done with them at once.

What it does not have: scheduling, admission, defaults, anything that runs. `Job`s end as told, `Deployment`s become
ready unless their template has what must not be, and one whose image cannot be pulled has a pod that says so.
"""

import json
import re
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

KINDS = {
    "v1": {"configmaps": "ConfigMap", "services": "Service", "serviceaccounts": "ServiceAccount"}
    | {"persistentvolumeclaims": "PersistentVolumeClaim", "pods": "Pod", "events": "Event"},
    "apps/v1": {"deployments": "Deployment", "replicasets": "ReplicaSet"},
    "batch/v1": {"jobs": "Job", "cronjobs": "CronJob"},
    "autoscaling/v2": {"horizontalpodautoscalers": "HorizontalPodAutoscaler"},
    "policy/v1": {"poddisruptionbudgets": "PodDisruptionBudget"},
    "networking.k8s.io/v1": {"networkpolicies": "NetworkPolicy"},
    "gateway.networking.k8s.io/v1": {"httproutes": "HTTPRoute"},
    "monitoring.coreos.com/v1": {"servicemonitors": "ServiceMonitor", "prometheusrules": "PrometheusRule"},
}
VERBS = ("get", "list", "watch", "create", "patch", "delete")
MAY = {"kind": "SelfSubjectAccessReview", "apiVersion": "authorization.k8s.io/v1", "status": {"allowed": True}}
REVISION = "deployment.kubernetes.io/revision"
VERSIONED = r"/(?:api|apis)/(?P<version>v1|[^/]+/v\d)"
OBJECT = re.compile(rf"{VERSIONED}/namespaces/(?P<namespace>[^/]+)/(?P<plural>[^/]+)(?:/(?P<name>[^/]+))?")

Json = dict[str, Any]
Answer = tuple[int, Json]


@dataclass
class Cluster:
    """What is in it, and how its controllers behave."""

    job_ends: str = "Complete"
    never_ready: str = "nothing"
    not_pulled: str = "no image"
    invalid: str = "no text"
    undeletable: str = "no kind"
    written: list[str] = field(default_factory=list)
    _objects: dict[tuple[str, str], Json] = field(default_factory=dict)
    _count: int = 0

    def find(self, plural: str, name: str) -> Json:
        return self._objects[plural, name]

    def names(self, plural: str | None = None) -> set[str]:
        return {name for kind, name in self._objects if plural in (None, kind)}

    def image(self, deployment: str) -> str:
        template = self.find("deployments", deployment)["spec"]["template"]
        return str(template["spec"]["containers"][0]["image"])

    def answer(self, method: str, path: str, query: Mapping[str, str], body: Any) -> Answer:
        """Status and body."""
        found = OBJECT.fullmatch(path)
        if not found:
            return _described(path) if method == "GET" else (201, MAY)
        plural, name = found["plural"], found["name"]
        if self.invalid in json.dumps(body):
            return _unprocessable(plural, body)
        if method == "POST":
            return 201, body if "dryRun" in query else self._create(plural, body)
        if not name:
            whole = {"kind": f"{KINDS[found['version']][plural]}List", "apiVersion": found["version"]}
            return 200, whole | {"metadata": {"resourceVersion": "1"}, "items": self._listed(plural, query)}
        if (plural, name) not in self._objects:
            return _missing(plural, name)
        if method == "PATCH" and "dryRun" not in query:
            self._change(plural, name, body)
        return self._remove(plural, name) if method == "DELETE" else (200, self._objects[plural, name])

    def _listed(self, plural: str, query: Mapping[str, str]) -> list[Json]:
        items = [each for (kind, _), each in self._objects.items() if kind == plural]
        items += self._unpulled() if plural == "pods" else []
        if name := query.get("fieldSelector", "").partition("metadata.name=")[2]:
            items = [each for each in items if each["metadata"]["name"] == name]
        wanted = [pair.split("=") for pair in query.get("labelSelector", "").split(",") if pair]
        return [
            each for each in items if all(each["metadata"].get("labels", {}).get(key) == value for key, value in wanted)
        ]

    def _unpulled(self) -> list[Json]:
        """A pod for each ReplicaSet whose image is not pulled."""
        sets = [each for (kind, _), each in self._objects.items() if kind == "replicasets"]
        return [_pod_without_image(each) for each in sets if self.not_pulled in json.dumps(each["spec"]["template"])]

    def _create(self, plural: str, body: Json) -> Json:
        self._count += 1
        name = body["metadata"]["name"]
        self.written.append(f"POST {plural}/{name}")
        body["metadata"] |= {"uid": f"uid-{self._count}", "resourceVersion": str(self._count), "generation": 1}
        return self._keep(plural, body)

    def _remove(self, plural: str, name: str) -> Answer:
        if plural == self.undeletable:
            return _forbidden(plural, name)
        self.written.append(f"DELETE {plural}/{name}")
        gone = self._objects.pop((plural, name))
        details = {"name": name, "kind": plural, "uid": gone["metadata"]["uid"]}
        return 200, {"kind": "Status", "apiVersion": "v1", "status": "Success", "details": details}

    def _change(self, plural: str, name: str, patch: Any) -> None:
        self._count += 1
        self.written.append(f"PATCH {plural}/{name}")
        old = self._objects[plural, name]
        new = _merged(old, patch) if isinstance(patch, dict) else _patched(old, patch)
        new["metadata"]["resourceVersion"] = str(self._count)
        new["metadata"]["generation"] += new.get("spec") != old.get("spec")
        self._keep(plural, new)

    def _keep(self, plural: str, found: Json) -> Json:
        if plural == "jobs":
            found["status"] = {"conditions": [{"type": self.job_ends, "status": "True"}]}
        if plural == "deployments":
            self._roll_out(found)
        self._objects[plural, found["metadata"]["name"]] = found
        return found

    def _roll_out(self, deployment: Json) -> None:
        meta, template = deployment["metadata"], deployment["spec"]["template"]
        owned = [each for (kind, _), each in self._objects.items() if kind == "replicasets"]
        owned = [each for each in owned if each["metadata"]["ownerReferences"][0]["uid"] == meta["uid"]]
        newest = max((int(each["metadata"]["annotations"][REVISION]) for each in owned), default=0)
        (current,) = [each for each in owned if _bare(each["spec"]["template"]) == _bare(template)] or [
            self._replica_set(deployment)
        ]
        revision = int(current["metadata"]["annotations"].setdefault(REVISION, "0"))
        if not revision or revision < newest:
            revision = newest + 1
        current["metadata"]["annotations"][REVISION] = str(revision)
        meta.setdefault("annotations", {})[REVISION] = str(revision)
        replicas = deployment["spec"].setdefault("replicas", 1)
        ready = self.never_ready not in json.dumps(template)
        progress = ("True", "NewReplicaSetAvailable") if ready else ("False", "ProgressDeadlineExceeded")
        if pulling := self.not_pulled in json.dumps(template):
            progress = ("True", "ReplicaSetUpdated")
        deployment["status"] = {
            "observedGeneration": meta["generation"],
            "replicas": replicas,
            "updatedReplicas": replicas,
            "availableReplicas": replicas * (ready and not pulling),
            "conditions": [{"type": "Progressing", "status": progress[0], "reason": progress[1]}],
        }

    def _replica_set(self, deployment: Json) -> Json:
        self._count += 1
        meta = deployment["metadata"]
        owner = {"apiVersion": "apps/v1", "kind": "Deployment", "name": meta["name"], "uid": meta["uid"]}
        made: Json = {
            "apiVersion": "apps/v1",
            "kind": "ReplicaSet",
            "metadata": {
                "name": f"{meta['name']}-{self._count}",
                "namespace": meta["namespace"],
                "uid": f"uid-{self._count}",
                "labels": dict(deployment["spec"]["template"]["metadata"]["labels"]),
                "annotations": {},
                "generation": 1,
                "ownerReferences": [owner | {"controller": True}],
            },
            "spec": {key: deepcopy(deployment["spec"][key]) for key in ("selector", "template")} | {"replicas": 1},
        }
        self._objects["replicasets", made["metadata"]["name"]] = made
        return made


def _bare(found: Any) -> Any:
    """Without what says nothing, which kubectl adds and the real API takes for what is there."""
    if isinstance(found, list):
        return [_bare(each) for each in found]
    if isinstance(found, dict):
        return {key: bare for key, each in found.items() if (bare := _bare(each)) not in (None, {}, [])}
    return found


def _pod_without_image(replica_set: Json) -> Json:
    owner = {"kind": "ReplicaSet", **{key: replica_set["metadata"][key] for key in ("name", "uid")}}
    waits = {"waiting": {"reason": "ImagePullBackOff", "message": "Back-off pulling image"}}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": f"{owner['name']}-pod", "ownerReferences": [owner]}
        | {"labels": replica_set["spec"]["template"]["metadata"]["labels"]},
        "status": {"phase": "Pending", "containerStatuses": [{"name": "it", "restartCount": 0, "state": waits}]},
    }


def _unprocessable(plural: str, body: Json) -> Answer:
    return 422, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Invalid", "code": 422} | {
        "message": f"{plural} {body['metadata'].get('name')!r} is invalid"
    }


def _forbidden(plural: str, name: str) -> Answer:
    return 403, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "Forbidden", "code": 403} | {
        "message": f"cannot delete {plural} {name!r}"
    }


def _merged(old: Json, patch: Json) -> Json:
    """A strategic merge, as far as Deployments need one: lists of what has names are merged by them."""
    merged = deepcopy(old)
    for key, value in patch.items():
        if key.startswith(("$setElementOrder", "$retainKeys")):
            continue
        if value is None:
            merged.pop(key, None)
        elif isinstance(value, dict):
            merged[key] = _merged(merged.get(key) or {}, value)
        elif isinstance(value, list) and value and isinstance(value[0], dict) and "name" in value[0]:
            by_name = {each["name"]: each for each in merged.get(key) or []}
            by_name |= {each["name"]: _merged(by_name.get(each["name"], {}), each) for each in value}
            merged[key] = list(by_name.values())
        else:
            merged[key] = value
    return merged


def _patched(old: Json, steps: list[Json]) -> Json:
    """A JSON patch that only replaces."""
    patched = deepcopy(old)
    for step in steps:
        *parents, last = (part.replace("~1", "/").replace("~0", "~") for part in step["path"].strip("/").split("/"))
        place: Any = patched
        for parent in parents:
            place = place[int(parent) if isinstance(place, list) else parent]
        place[last] = step["value"]
    return patched


def _described(path: str) -> Answer:
    """What kubectl asks an API about itself."""
    found = re.fullmatch(rf"(?P<schema>/openapi/v3)?{VERSIONED}", path)
    if found and found["version"] in KINDS:
        describe = _schema if found["schema"] else _resources
        return 200, describe(found["version"], KINDS[found["version"]])
    groups = [version.split("/") for version in KINDS if "/" in version]
    schemas = [f"{'apis' if '/' in version else 'api'}/{version}" for version in KINDS]
    known: dict[str, Json] = {
        "/version": {"major": "1", "minor": "32", "gitVersion": "v1.32.0"},
        "/api": {"kind": "APIVersions", "versions": ["v1"]},
        "/apis": {
            "kind": "APIGroupList",
            "apiVersion": "v1",
            "groups": [
                {"name": group, "versions": [{"groupVersion": f"{group}/{number}", "version": number}]}
                for group, number in groups
            ],
        },
        "/openapi/v3": {"paths": {name: {"serverRelativeURL": f"/openapi/v3/{name}"} for name in schemas}},
    }
    return (200, known[path]) if path in known else _missing("path", path)


def _resources(version: str, kinds: Mapping[str, str]) -> Json:
    resources = [
        {"name": plural, "singularName": kind.lower(), "namespaced": True, "kind": kind, "verbs": VERBS}
        for plural, kind in kinds.items()
    ]
    return {"kind": "APIResourceList", "groupVersion": version, "resources": resources}


def _schema(version: str, kinds: Mapping[str, str]) -> Json:
    """Nothing but that the server checks the fields itself."""
    group, _, number = version.rpartition("/")
    checks = [{"name": "fieldValidation", "in": "query", "schema": {"type": "string"}}]
    paths = {
        f"/{plural}": {
            "patch": {
                "parameters": checks,
                "responses": {},
                "x-kubernetes-group-version-kind": {"group": group, "version": number, "kind": kind},
            }
        }
        for plural, kind in kinds.items()
    }
    return {"openapi": "3.0.0", "info": {"title": "stand-in", "version": "1"}, "paths": paths, "components": {}}


def _missing(plural: str, name: str) -> Answer:
    details = {"name": name, "kind": plural}
    return 404, {"kind": "Status", "apiVersion": "v1", "status": "Failure", "reason": "NotFound", "code": 404} | {
        "message": f'{plural} "{name}" not found',
        "details": details,
    }


@contextmanager
def served(folder: Path) -> Iterator[tuple[Cluster, Path]]:
    """A cluster, and the file by which kubectl finds it."""
    cluster, lock = Cluster(), threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = -1  # head and body in one packet; else each answer waits 40 ms for the other side's acknowledgement

        def log_message(self, format: str, *arguments: Any) -> None:
            pass

        def _answer(self) -> None:
            url = urlsplit(self.path)
            query = {key: values[-1] for key, values in parse_qs(url.query).items()}
            length = int(self.headers.get("content-length") or 0)
            sent = self.rfile.read(length)
            body = json.loads(sent) if sent.startswith((b"{", b"[")) else None  # else in Kubernetes' binary form
            with lock:
                status, found = cluster.answer(self.command, url.path, query, body)
            lines = [found]
            if query.get("watch") in ("1", "true"):
                lines = [{"type": "ADDED", "object": each} for each in found["items"]]
                end = {"resourceVersion": "1", "annotations": {"k8s.io/initial-events-end": "true"}}
                kind = found["kind"].removesuffix("List")
                last = {"kind": kind, "apiVersion": found["apiVersion"], "metadata": end}
                lines.append({"type": "BOOKMARK", "object": last})
            text = b"".join(json.dumps(line).encode() + b"\n" for line in lines)
            self.send_response(status)
            self.send_header("content-type", "application/json")
            self.send_header("content-length", str(len(text)))
            self.end_headers()
            self.wfile.write(text)

        do_GET = do_POST = do_PATCH = do_DELETE = _answer  # noqa: N815 - as the base class looks for them

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever)
        thread.start()
        context = {"name": "it", "context": {"cluster": "it", "user": "it"}}
        address = {"name": "it", "cluster": {"server": f"http://127.0.0.1:{server.server_port}"}}
        kubeconfig = {"apiVersion": "v1", "kind": "Config", "current-context": "it", "contexts": [context]}
        path = folder / "kubeconfig"
        path.write_text(json.dumps(kubeconfig | {"clusters": [address], "users": [{"name": "it", "user": {}}]}))
        try:
            yield cluster, path
        finally:
            server.shutdown()
            thread.join()
