"""The servers: each a process that imports its program once and does its administrator's commands in children."""
import grp
import os
import pwd
import shutil
import socket
import sqlite3
import sys

from place import PASSWORD, die_with_parent


def step(work):
    """Does one command of an administrator in a child, which starts with everything imported already."""
    child = os.fork()
    if child == 0:
        die_with_parent()
        code = 1
        try:
            code = work() or 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        except BaseException:
            import traceback
            traceback.print_exc()
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(code)
    return child


def finish(*children):
    for child in children:
        if os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) != 0:
            sys.exit(1)


def let_readers_read(database_path):
    """Sets what the file keeps: that who reads does not keep anybody from writing."""
    with sqlite3.connect(database_path) as connection:
        connection.execute("PRAGMA journal_mode = WAL")
    connection.close()


def serve_keystone(cloud):
    from keystone.cmd import cli
    from keystone.server.wsgi import initialize_public_application
    import waitress
    file = cloud.path("keystone/keystone.conf")

    def manage(*arguments):
        argv = ["keystone-manage", "--config-file", file, *arguments]
        return step(lambda: cli.main(argv=argv))

    owner = ("--keystone-user", pwd.getpwuid(os.getuid()).pw_name,
             "--keystone-group", grp.getgrgid(os.getgid()).gr_name)
    finish(manage("fernet_setup", *owner), manage("credential_setup", *owner), manage("db_sync"))
    let_readers_read(cloud.path("keystone/keystone.sqlite"))
    finish(manage("bootstrap", "--bootstrap-password", PASSWORD, "--bootstrap-region-id", "RegionOne",
                  *(part for interface in ("public", "internal", "admin")
                    for part in (f"--bootstrap-{interface}-url", f"{cloud.keystone}/v3"))))
    os.environ["OS_KEYSTONE_CONFIG_FILES"] = file
    sys.argv = ["keystone"]
    port = cloud.ports["keystone"]
    listen = f"127.0.0.1:{port}" + (f" [::1]:{port}" if has_ipv6() else "")
    waitress.serve(initialize_public_application(), listen=listen, threads=6)


def serve_glance(cloud):
    from glance.cmd import api, manage

    def with_arguments(main, *arguments):
        def work():
            sys.argv = list(arguments)
            return main()
        return step(work)

    names = ("glance", "open-glance")
    files = [cloud.path(name, "glance-api.conf") for name in names]
    finish(with_arguments(manage.main, "glance-manage", "--config-file", files[0], "db_sync"))
    shutil.copyfile(cloud.path("glance/glance.sqlite"), cloud.path("open-glance/glance.sqlite"))
    for name in names:
        let_readers_read(cloud.path(name, "glance.sqlite"))
    finish(*(with_arguments(api.main, "glance-api", "--config-file", file) for file in files))


def serve_barbican(cloud):
    # Its modules read the configuration from the home directory while they are imported.
    os.environ["HOME"] = cloud.path("barbican")
    from paste import deploy
    import waitress
    let_readers_read(cloud.path("barbican/barbican.sqlite"))
    application = deploy.loadapp("config:" + cloud.path("barbican/paste.ini"))
    waitress.serve(application, listen=f"127.0.0.1:{cloud.ports['barbican']}", threads=4)


def has_ipv6():
    try:
        with socket.socket(socket.AF_INET6) as probe:
            probe.bind(("::1", 0))
        return True
    except OSError:
        return False


SERVERS = {"keystone": serve_keystone, "glance": serve_glance, "barbican": serve_barbican}
