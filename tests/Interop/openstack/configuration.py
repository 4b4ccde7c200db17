"""The servers' configuration files."""
import os

from place import PASSWORD


def token_section(cloud):
    # Tokens are asked after each time, so that a revoked one is refused at once.
    return f"""
[keystone_authtoken]
www_authenticate_uri = {cloud.keystone}/v3
auth_url = {cloud.keystone}/v3
auth_type = password
username = admin
password = {PASSWORD}
project_name = admin
user_domain_id = default
project_domain_id = default
token_cache_time = -1
"""


def database(cloud, name):
    return f"""
[database]
connection = sqlite:///{cloud.path(name)}
sqlite_synchronous = false
"""


def configure_keystone(cloud):
    cloud.write("keystone/keystone.conf", f"""
[DEFAULT]
log_file = {cloud.path("keystone.log")}
public_endpoint = {cloud.keystone}
{database(cloud, "keystone/keystone.sqlite")}
[fernet_tokens]
key_repository = {cloud.path("keystone/fernet")}
[fernet_receipts]
key_repository = {cloud.path("keystone/fernet-receipts")}
[credential]
key_repository = {cloud.path("keystone/credential")}
[identity]
password_hash_rounds = 4
""")


def configure_glance(cloud, name, url, flavor):
    room = f"{name}/"
    cloud.write(room + "paste.ini", """
[pipeline:glance-api]
pipeline = versionnegotiation unauthenticated-context rootapp
[pipeline:glance-api-keystone]
pipeline = versionnegotiation authtoken context rootapp
[composite:rootapp]
paste.composite_factory = glance.api:root_app_factory
/: apiversions
/v2: apiv2app
[app:apiversions]
paste.app_factory = glance.api.versions:create_resource
[app:apiv2app]
paste.app_factory = glance.api.v2.router:API.factory
[filter:versionnegotiation]
paste.filter_factory = glance.api.middleware.version_negotiation:VersionNegotiationFilter.factory
[filter:context]
paste.filter_factory = glance.api.middleware.context:ContextMiddleware.factory
[filter:unauthenticated-context]
paste.filter_factory = glance.api.middleware.context:UnauthenticatedContextMiddleware.factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
delay_auth_decision = true
""")
    for part in ("fast", "slow", "staging", "tasks"):
        os.makedirs(cloud.path(name, part), exist_ok=True)
    cloud.write(room + "glance-api.conf", f"""
[DEFAULT]
bind_host = 127.0.0.1
bind_port = {cloud.ports[name]}
workers = 0
public_endpoint = {url}
worker_self_reference_url = {url}
log_file = {cloud.path(name + ".log")}
show_multiple_locations = true
enabled_backends = fast:file, slow:file, web:http
enabled_import_methods = [glance-direct,web-download,copy-image,glance-download]
{database(cloud, room + "glance.sqlite")}
{token_section(cloud)}
[paste_deploy]
config_file = {cloud.path(name, "paste.ini")}
flavor = {flavor}
[glance_store]
default_backend = fast
[fast]
filesystem_store_datadir = {cloud.path(name, "fast")}
store_description = The first file store
[slow]
filesystem_store_datadir = {cloud.path(name, "slow")}
store_description = The second file store
[web]
store_description = Whatever a web server has, to read only
[os_glance_staging_store]
filesystem_store_datadir = {cloud.path(name, "staging")}
[os_glance_tasks_store]
filesystem_store_datadir = {cloud.path(name, "tasks")}
[import_filtering_opts]
allowed_hosts = [127.0.0.1,localhost]
allowed_ports = []
""")


def configure_barbican(cloud):
    cloud.write("barbican/paste.ini", """
[composite:main]
use = egg:Paste#urlmap
/: versions
/v1: secrets
[pipeline:versions]
pipeline = microversion versionapp
[pipeline:secrets]
pipeline = authtoken context microversion apiapp
[app:apiapp]
paste.app_factory = barbican.api.app:create_main_app
[app:versionapp]
paste.app_factory = barbican.api.app:create_version_app
[filter:context]
paste.filter_factory = barbican.api.middleware.context:ContextMiddleware.factory
[filter:microversion]
paste.filter_factory = barbican.api.middleware.microversion:MicroversionMiddleware.factory
[filter:authtoken]
paste.filter_factory = keystonemiddleware.auth_token:filter_factory
""")
    cloud.write("barbican/.barbican/barbican.conf", f"""
[DEFAULT]
log_file = {cloud.path("barbican.log")}
host_href = {cloud.barbican}
sql_connection = sqlite:///{cloud.path("barbican/barbican.sqlite")}
db_auto_create = true
{database(cloud, "barbican/barbican.sqlite")}
{token_section(cloud)}
[queue]
enable = false
[secretstore]
enabled_secretstore_plugins = store_crypto
[crypto]
enabled_crypto_plugins = simple_crypto
[simple_crypto_plugin]
kek = dGhpcnR5X3R3b19ieXRlX2tleWJsYWhibGFoYmxhaGg=
""")
