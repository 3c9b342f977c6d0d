"""The world around AWS, behind an HTTPS proxy on 127.0.0.1: the addresses of the applications, the CI, and the
endpoints of the routing controls' cluster. An application answers as its parts stand in the emulated estate: a site is
healthy when it has tasks or instances and a database that takes writes, and users reach the site to which records,
health checks or routing controls send them.
"""

import datetime
import ipaddress
import json
import re
import ssl
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

CI_TOKEN = "not-checked-by-anybody-else"
CLUSTER = re.compile(r"\w+\.route53-recovery-cluster\.([a-z0-9-]+)\.amazonaws\.com")
CLUSTER_REGIONS = ("us-east-1", "us-west-2", "eu-west-1", "ap-northeast-1", "ap-southeast-2")
NAMES = ["*.example.com"]
NAMES += [f"*.{service}.example.com" for service in ("pay", "bookings", "orders", "reports", "catalog")]
NAMES += [f"*.route53-recovery-cluster.{region}.amazonaws.com" for region in CLUSTER_REGIONS]


class Applications:
    """Which site serves whom."""

    def __init__(self, account, lost):
        self.account, self.lost = account, lost
        self.controls = {"pay": "east", "bookings": "east"}
        self.frozen = []

    def answer(self, host, method, path, headers, body):
        """Status and body, or None where nobody answers."""
        if cluster := CLUSTER.fullmatch(host):
            return None if cluster[1] in self.lost else self.cluster(headers, json.loads(body))
        if host == "ci.example.com":
            if headers.get("authorization") != f"Bearer {CI_TOKEN}":
                return 401, {}
            self.frozen.append(path)
            return 200, {}
        site, service = host.removesuffix(".example.com").split(".") if host.count(".") == 3 else ("", host.split(".")[0])
        region, healthy = getattr(self, service)(site or self.users_of(service))
        if region in self.lost:
            return None
        return (200, {"healthy": True}) if healthy() else (503, {"healthy": False})

    # Where users are sent

    def users_of(self, service):
        if service in self.controls:
            return self.controls[service]
        client = self.account.client("route53", "us-east-1")
        if service == "orders":
            check = client.get_health_check(HealthCheckId="11111111-aaaa-4aaa-8aaa-000000000001")["HealthCheck"]
            return "dublin" if check["HealthCheckConfig"].get("Inverted") else "frankfurt"
        records = client.list_resource_record_sets(HostedZoneId="Z0REPORTS")["ResourceRecordSets"]
        value = next(it for it in records if it["Type"] == "CNAME")["ResourceRecords"][0]["Value"]
        return "ohio" if "ohio" in value else "oregon"

    def cluster(self, headers, order):
        operation = headers["x-amz-target"].rpartition(".")[2]
        if operation == "UpdateRoutingControlStates":
            for entry in order["UpdateRoutingControlStateEntries"]:
                panel, site = re.search(r"controlpanel/(\w+)/routingcontrol/(\w+)", entry["RoutingControlArn"]).groups()
                if entry["RoutingControlState"] == "On":
                    self.controls[panel] = site
            return 200, {}
        panel, site = re.search(r"controlpanel/(\w+)/routingcontrol/(\w+)", order["RoutingControlArn"]).groups()
        state = "On" if self.controls[panel] == site else "Off"
        return 200, {"RoutingControlArn": order["RoutingControlArn"], "RoutingControlState": state}

    # Whether a site is healthy

    def pay(self, site):
        region = {"east": "us-east-1", "west": "us-west-2"}[site]
        return region, lambda: self.writes(region, f"payments-db-{site}") and self.tasks(
            region, f"pay-{site}", "payments-api"
        )

    def bookings(self, site):
        region = {"east": "us-east-1", "west": "us-west-2"}[site]

        def healthy():
            rds = self.account.client("rds", region)
            members = rds.describe_global_clusters(GlobalClusterIdentifier="bookings")["GlobalClusters"][0]
            writer = next(it for it in members["GlobalClusterMembers"] if it["IsWriter"])["DBClusterArn"]
            return writer.endswith(f"bookings-{site}") and self.tasks(region, f"bookings-{site}", "bookings-api")

        return region, healthy

    def orders(self, site):
        region = {"frankfurt": "eu-central-1", "dublin": "eu-west-1"}[site]
        groups = [f"orders-{name}" for name in ("web", "api", "worker")]
        return region, lambda: self.writes(region, f"orders-db-{site}") and all(
            self.instances(region, group) for group in groups
        )

    def reports(self, site):
        region = {"ohio": "us-east-2", "oregon": "us-west-2"}[site]
        return region, lambda: self.writes(region, f"reports-db-{site}") and self.instances(region, "reports-web")

    def catalog(self, site):
        region = {"oregon": "us-west-2", "dublin": "eu-west-1", "tokyo": "ap-northeast-1"}[site]
        return region, lambda: self.tasks(region, f"catalog-{site}", "catalog")

    def writes(self, region, database):
        found = self.account.client("rds", region).describe_db_instances(DBInstanceIdentifier=database)
        found = found["DBInstances"][0]
        return found["DBInstanceStatus"] == "available" and not found.get("ReadReplicaSourceDBInstanceIdentifier")

    def tasks(self, region, cluster, service):
        found = self.account.client("ecs", region).describe_services(cluster=cluster, services=[service])
        return found["services"][0]["runningCount"] > 0

    def instances(self, region, group):
        client = self.account.client("autoscaling", region)
        found = client.describe_auto_scaling_groups(AutoScalingGroupNames=[group])["AutoScalingGroups"]
        return any(it["LifecycleState"] == "InService" for it in found[0]["Instances"])


class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_CONNECT(self):
        self.host = self.path.partition(":")[0]
        self.send_response(200)
        self.end_headers()
        self.connection = self.server.tls.wrap_socket(self.connection, server_side=True)
        self.rfile, self.wfile = self.connection.makefile("rb"), self.connection.makefile("wb")
        self.close_connection = False

    def answer(self):
        body = self.rfile.read(int(self.headers.get("content-length") or 0))
        try:
            headers = {name.lower(): value for name, value in self.headers.items()}
            said = self.server.applications.answer(self.host, self.command, self.path, headers, body)
        except Exception as error:
            said = 500, {"error": str(error)}
        self.close_connection = True
        if said is None:
            return
        status, body = said[0], json.dumps(said[1]).encode()
        self.send_response(status)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.send_header("connection", "close")
        self.end_headers()
        self.wfile.write(body)
        self.wfile.flush()

    do_GET = do_POST = answer

    def log_message(self, *_):
        pass


def serve(applications, certificates):
    """Starts the proxy on a free port of 127.0.0.1; gives its address."""
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.applications = True, applications
    server.tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server.tls.load_cert_chain(certificates)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    return f"http://127.0.0.1:{server.server_address[1]}"


def certify(authority, certificates):
    """Writes an authority of its own, and a certificate of the names above with its key, for a week."""

    def certificate(name, key, issuer, signer, *extensions):
        now = datetime.datetime.now(datetime.timezone.utc)
        built = x509.CertificateBuilder().subject_name(name).issuer_name(issuer).public_key(key.public_key())
        built = built.serial_number(x509.random_serial_number())
        built = built.not_valid_before(now - datetime.timedelta(days=1))
        built = built.not_valid_after(now + datetime.timedelta(days=7))
        for extension, critical in extensions:
            built = built.add_extension(extension, critical)
        return built.sign(signer, hashes.SHA256()).public_bytes(serialization.Encoding.PEM)

    def named(text):
        return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, text)])

    signer, key = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    issuer, subject = named("emulated estate"), named("emulated applications")
    is_authority = (x509.BasicConstraints(ca=True, path_length=0), True)
    with open(authority, "wb") as file:
        file.write(certificate(issuer, signer, issuer, signer, is_authority))
    names = [x509.DNSName(name) for name in NAMES] + [x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    purpose = x509.ExtendedKeyUsage([ExtendedKeyUsageOID.SERVER_AUTH])
    extensions = ((x509.SubjectAlternativeName(names), False), (purpose, False))
    with open(certificates, "wb") as file:
        file.write(certificate(subject, key, issuer, signer, *extensions))
        form = serialization.PrivateFormat.TraditionalOpenSSL
        file.write(key.private_bytes(serialization.Encoding.PEM, form, serialization.NoEncryption()))
