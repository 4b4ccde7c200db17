"""What is in the cloud: projects, users, an application credential and the catalogue."""
import json
import urllib.request

from place import APPLICATION_SECRET, MEMBER_PASSWORD, PASSWORD


def call(method, url, token=None, body=None):
    request = urllib.request.Request(url, method=method, data=None if body is None else json.dumps(body).encode())
    request.add_header("Content-Type", "application/json")
    if token:
        request.add_header("X-Auth-Token", token)
    # Whatever proxy the environment names, this is loopback.
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        text = answer.read()
        return (json.loads(text) if text else None), answer.headers


def log_in(cloud, user, password, project):
    body = {"auth": {
        "identity": {"methods": ["password"], "password": {"user": {
            "name": user, "domain": {"id": "default"}, "password": password}}},
        "scope": {"project": {"name": project, "domain": {"id": "default"}}}}}
    answer, headers = call("POST", f"{cloud.keystone}/v3/auth/tokens", body=body)
    return headers["X-Subject-Token"], answer["token"]["user"]["id"]


def furnish(cloud):
    """Projects, users, an application credential and the catalogue; returns what a test wants to know of them."""
    identity = f"{cloud.keystone}/v3"
    admin, admin_id = log_in(cloud, "admin", PASSWORD, "admin")

    def make(kind, plural, **properties):
        return call("POST", f"{identity}/{plural}", admin, {kind: properties})[0][kind]["id"]

    make("region", "regions", id="RegionTwo")
    image = make("service", "services", type="image", name="glance")
    secrets = make("service", "services", type="key-manager", name="barbican")
    for service, region, url in ((image, "RegionOne", cloud.glance), (image, "RegionTwo", cloud.open_glance),
                                 (secrets, "RegionOne", cloud.barbican)):
        for interface in ("public", "internal", "admin"):
            make("endpoint", "endpoints", service_id=service, region_id=region, interface=interface, url=url)
    project = make("project", "projects", name="second", domain_id="default")
    member = make("user", "users", name="member", domain_id="default", password=MEMBER_PASSWORD)
    roles = {role["name"]: role["id"] for role in call("GET", f"{identity}/roles", admin)[0]["roles"]}
    grants = [(f"projects/{project}", member, roles["member"]),
              # What Barbican's own rules want of somebody who stores a certificate.
              (f"projects/{project}", member, make("role", "roles", name="creator")),
              ("domains/default", admin_id, roles["admin"])]
    for where, user, role in grants:
        call("PUT", f"{identity}/{where}/users/{user}/roles/{role}", admin)
    token, _ = log_in(cloud, "member", MEMBER_PASSWORD, "second")
    credential, _ = call("POST", f"{identity}/users/{member}/application_credentials", token, {
        "application_credential": {"name": "runbook", "secret": APPLICATION_SECRET}})
    return {"project_id": project, "user_id": member,
            "application_credential_id": credential["application_credential"]["id"]}


def write_clouds(cloud, made):
    address = f"auth_url: {cloud.keystone}/v3"
    domains = "user_domain_name: Default, project_domain_name: Default"
    return cloud.write("clouds.yaml", f"""clouds:
  test:
    auth: {{{address}, username: admin, password: {PASSWORD}, project_name: admin, {domains}}}
    region_name: RegionOne
  member:
    auth: {{{address}, username: member, password: {MEMBER_PASSWORD}, project_name: second, {domains}}}
    region_name: RegionOne
  runbook:
    auth_type: v3applicationcredential
    auth: {{{address}, application_credential_id: {made["application_credential_id"]},
      application_credential_secret: {APPLICATION_SECRET}}}
    region_name: RegionOne
  runbook-by-name:
    auth_type: v3applicationcredential
    auth: {{{address}, application_credential_name: runbook, username: member, user_domain_name: Default,
      application_credential_secret: {APPLICATION_SECRET}}}
    region_name: RegionOne
  open:
    auth_type: none
    auth: {{endpoint: {cloud.open_glance}}}
    image_endpoint_override: {cloud.open_glance}
""")
