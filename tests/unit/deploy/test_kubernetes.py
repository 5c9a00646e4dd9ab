"""The Kubernetes manifests keep the API's schemas, fit together, and ask for no more rights than they need.

Kustomize itself isn't needed: what it would put together is read here, file by file.
"""

import re
from pathlib import Path

import pytest
import yaml

from actorline.cli.commands import COMMANDS
from actorline.schedules.schedules_file import load_schedules
from actorline.settings import Settings

ROOT = Path(__file__).parents[3]
FOLDER = ROOT / "deploy" / "kubernetes"
OWN = "app.kubernetes.io/name"
COMPONENT = "app.kubernetes.io/component"
CUSTOM = {"ScaledObject"}  # KEDA's: its schema is not the API's


def kustomization(folder):
    return yaml.safe_load((FOLDER / folder / "kustomization.yaml").read_text())


def resources():
    """Every manifest that a kustomization lists, by file."""
    for folder in sorted(path.parent.name for path in FOLDER.glob("*/kustomization.yaml")):
        for name in kustomization(folder).get("resources", []):
            if name.endswith(".yaml"):
                for document in yaml.safe_load_all((FOLDER / folder / name).read_text()):
                    yield pytest.param(document, id=f"{document['kind']}-{document['metadata']['name']}")


ALL = list(resources())
PODS = [each for each in ALL if each.values[0]["kind"] in {"Deployment", "StatefulSet"}]


def of_kind(*kinds):
    return [each.values[0] for each in ALL if each.values[0]["kind"] in kinds]


def pod(workload):
    return workload["spec"]["template"]["spec"]


def labels(workload):
    return workload["spec"]["template"]["metadata"]["labels"]


def secret_items(workload):
    return [item for volume in pod(workload)["volumes"] for item in volume.get("secret", {}).get("items", [])]


def test_every_file_is_part_of_a_kustomization():
    listed = {FOLDER / path.parent.name / name for path in FOLDER.glob("*/kustomization.yaml")
              for name in kustomization(path.parent.name).get("resources", [])}  # fmt: skip
    assert {path for path in FOLDER.glob("*/*.yaml") if path.name != "kustomization.yaml"} <= listed
    assert all((FOLDER / "example" / each).exists() for each in ("../base", "../redis"))


@pytest.mark.parametrize("manifest", ALL)
def test_manifest_keeps_the_schema_of_the_api(manifest):
    kubernetes_validate = pytest.importorskip("kubernetes_validate", reason="part of `make test-all`")
    if manifest["kind"] not in CUSTOM:
        for version in ("1.30", "1.36"):
            kubernetes_validate.validate(manifest, version, strict=True)


@pytest.mark.parametrize("workload", PODS)
def test_pod_may_do_no_more_than_it_needs(workload):
    spec = pod(workload)
    assert spec["securityContext"]["runAsNonRoot"]
    assert spec["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert (spec["automountServiceAccountToken"], spec["enableServiceLinks"]) == (False, False)
    for container in spec["containers"]:
        assert container["securityContext"] == {
            "allowPrivilegeEscalation": False, "readOnlyRootFilesystem": True, "capabilities": {"drop": ["ALL"]},
        }  # fmt: skip
        assert {"cpu", "memory"} <= container["resources"]["requests"].keys()
        assert "memory" in container["resources"]["limits"]


@pytest.mark.parametrize("workload", PODS)
def test_selector_finds_the_pods_of_its_workload(workload):
    assert workload["spec"]["selector"]["matchLabels"] == labels(workload)
    assert labels(workload) == {OWN: "actorline", COMPONENT: workload["metadata"]["name"]}


@pytest.mark.parametrize("workload", PODS)
def test_pod_has_a_probe_and_time_to_drain(workload):
    (container,) = pod(workload)["containers"]
    if workload["metadata"]["name"] != "beat":
        assert {"livenessProbe", "readinessProbe"} & container.keys()
    if workload["metadata"]["name"] in {"control", "fetch"}:
        assert "-m workers.ping" in " ".join(container["livenessProbe"]["exec"]["command"])
        assert pod(workload)["terminationGracePeriodSeconds"] >= 60


@pytest.mark.parametrize("workload", [each for each in PODS if "redis" not in each.id])
def test_container_runs_a_known_command_with_known_settings(workload):
    (container,) = pod(workload)["containers"]
    assert container["args"][0] in COMMANDS
    known = {f"ACTORLINE_{name.upper()}" for name in Settings.model_fields}
    known |= {"ACTORLINE_SETTINGS", "APIFY_TOKEN_FILE", "FLOWER_BASIC_AUTH_FILE"}
    assert {variable["name"] for variable in container["env"]} <= known
    assert {"configMapRef": {"name": "actorline-settings"}} in container["envFrom"]


@pytest.mark.parametrize("workload", PODS)
def test_secret_is_a_file_and_one_that_the_script_makes(workload):
    made = set(re.findall(r"keep ([\w.]+)", (ROOT / "secrets.sh").read_text()))
    items = secret_items(workload)
    assert {item["key"] for item in items} <= made
    assert all(item["path"] == item["key"] for item in items)
    (container,) = pod(workload)["containers"]
    named = {variable["value"] for variable in container.get("env", [])}
    assert {value for value in named if value.startswith("/run/secrets/")} <= {
        f"/run/secrets/{item['path']}" for item in items
    }
    mounted = {mount["name"] for mount in container["volumeMounts"]} - {"data"}
    assert mounted == {volume["name"] for volume in pod(workload)["volumes"]}


def test_token_is_in_workers_only():
    holders = {
        workload["metadata"]["name"]
        for workload in of_kind("Deployment", "StatefulSet")
        for item in secret_items(workload)
        if item["key"] in {"apify_token", "workers.toml"}
    }
    assert holders == {"control", "fetch"}


@pytest.mark.parametrize("name", ["beat", "gateway", "control"])
def test_schedules_are_read_where_they_are_asked_for(name):
    """By beat, by the gateway's page and its alert on late ones, and by commands in `control`."""
    (spec,) = [pod(workload) for workload in of_kind("Deployment") if workload["metadata"]["name"] == name]
    (container,) = spec["containers"]
    homes = [variable["value"] for variable in container["env"] if variable["name"] == "ACTORLINE_HOME"]
    mounts = [mount["mountPath"] for mount in container["volumeMounts"] if mount["name"] == "schedules"]
    assert homes == mounts == ["/etc/actorline"]
    assert {"name": "actorline-schedules", "optional": True} in [each.get("configMap") for each in spec["volumes"]]


def test_policies_services_and_budgets_select_pods_that_exist():
    existing = [labels(workload) for workload in of_kind("Deployment", "StatefulSet")]
    for manifest in of_kind("Service", "PodDisruptionBudget", "NetworkPolicy"):
        spec = manifest["spec"]
        chosen = spec.get("podSelector") or spec["selector"]
        wanted = chosen.get("matchLabels", chosen)
        assert any(wanted.items() <= each.items() for each in existing), manifest["metadata"]["name"]


def test_budgets_leave_room_for_draining_a_node():
    replicas = {workload["metadata"]["name"]: workload["spec"]["replicas"] for workload in of_kind("Deployment")}
    for budget in of_kind("PodDisruptionBudget"):
        assert replicas[budget["metadata"]["name"]] > budget["spec"]["minAvailable"]


def test_each_scaler_scales_the_fetch_workers_by_their_queue():
    (autoscaler,), (scaled,) = of_kind("HorizontalPodAutoscaler"), of_kind("ScaledObject")
    assert autoscaler["spec"]["scaleTargetRef"]["name"] == scaled["spec"]["scaleTargetRef"]["name"] == "fetch"
    (metric,) = autoscaler["spec"]["metrics"]
    assert metric["external"]["metric"]["name"] == "actorline_queue_messages"
    assert 'actorline_queue_messages{queue="fetch"}' in scaled["spec"]["triggers"][0]["metadata"]["query"]


def test_flower_and_the_jobs_page_link_to_each_other():
    base, example = (kustomization(folder)["configMapGenerator"][0]["literals"] for folder in ("base", "example"))
    given = dict(line.split("=", 1) for line in (*base, *example))
    assert given["ACTORLINE_GATEWAY_URL"] == given["ACTORLINE_PUBLIC_URL"]
    (port,) = (pod(each)["containers"][0]["ports"][0]["containerPort"] for each in of_kind("Deployment")
               if each["metadata"]["name"] == "flower")  # fmt: skip
    assert given["ACTORLINE_FLOWER_URL"] == f"http://127.0.0.1:{port}"


def test_example_changes_what_exists():
    example = kustomization("example")
    (settings,) = kustomization("base")["configMapGenerator"]
    merged, schedules = example["configMapGenerator"]
    assert (merged["name"], merged["behavior"]) == (settings["name"], "merge")
    known = {f"ACTORLINE_{name.upper()}" for name in Settings.model_fields}
    assert {line.partition("=")[0] for line in (*settings["literals"], *merged["literals"])} <= known
    assert load_schedules(FOLDER / "example" / schedules["files"][0])
    names = {workload["metadata"]["name"] for workload in of_kind("Deployment")}
    assert {patch["target"]["name"] for patch in example["patches"]} <= names
    assert [image["name"] for image in example["images"]] == ["actorline"]
