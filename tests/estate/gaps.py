"""What moto lacks or does not do as AWS does: a promotion that ends the replication, jobs of AWS Backup, automations,
global databases. Nothing here knows drctl: it answers whoever speaks AWS's protocols.

Backup and Systems Manager are answered here, global databases and DynamoDB by ministack, everything else by moto, in
whose world the jobs have their effects: a restore that is complete has made a database.
"""

import io
import json
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
import uuid

from moto.rds.exceptions import RDSClientError
from moto.rds.models import RDSBackend, rds_backends

ACCOUNT = "111122223333"


def promote(pace):
    """Gives moto a promotion with a duration, after which the instance is nobody's replica."""

    def promote_read_replica(self, db_kwargs):
        database = self.databases[db_kwargs["db_instance_identifier"]]
        if not database.is_replica:
            name = database.db_instance_identifier
            raise RDSClientError("InvalidDBInstanceState", f"DB Instance {name} is not a read replica.")
        database.update(**db_kwargs)

        def done():
            source = database.source_db_instance_identifier
            region, name = source.split(":")[3], source.split(":")[-1]
            primary = rds_backends[self.account_id][region].databases[name]
            primary.replicas = [it for it in primary.replicas if it != database.db_instance_arn]
            database.is_replica = False
            database.source_db_instance_identifier = None
            database.status = "available"

        database.status = "modifying"
        later(pace, done)
        return database

    RDSBackend.promote_read_replica = promote_read_replica


def later(seconds, what):
    if seconds <= 0:
        what()
    else:
        timer = threading.Timer(seconds, what)
        timer.daemon = True
        timer.start()


class Refusal(Exception):
    """An error in the words of AWS."""

    def __init__(self, code, message):
        super().__init__(message)
        self.code = code


class Jobs:
    """Orders with a token that answer the same token with the same job, and end after some time."""

    def __init__(self, pace):
        self.pace, self.jobs, self.tokens, self.lock = pace, {}, {}, threading.Lock()

    def order(self, kind, region, order, token, done):
        with self.lock:
            if token and (kind, token) in self.tokens:
                return self.tokens[kind, token]
            job = {"kind": kind, "id": str(uuid.uuid4()), "region": region, "order": order, "made": None}
            job |= {"state": "RUNNING", "begun": time.time()}
            self.jobs[job["id"]] = job
            if token:
                self.tokens[kind, token] = job

        def end():
            job["made"] = done(job)
            job["state"] = "COMPLETED"

        later(self.pace, end)
        return job

    def find(self, kind, id):
        job = self.jobs.get(id)
        if job is None or job["kind"] != kind:
            raise Refusal("ResourceNotFoundException", f"there is no such job: {id}")
        return job


class Backup:
    """AWS Backup: recovery points, and jobs that make them, copy them and restore them."""

    def __init__(self, jobs, restored):
        # What a restore makes: called with the region, the type and the metadata, gives the ARN.
        self.jobs, self.restored, self.points = jobs, restored, []

    def point(self, vault, resource, kind, made):
        """Puts a usable recovery point into a vault, named by its ARN."""
        region, name = vault.split(":")[3], vault.split(":")[-1]
        arn = f"arn:aws:backup:{region}:{ACCOUNT}:recovery-point:{uuid.uuid4()}"
        key = f"arn:aws:kms:{region}:{ACCOUNT}:key/1"
        self.points.append(
            {"RecoveryPointArn": arn, "BackupVaultName": name, "BackupVaultArn": vault, "ResourceArn": resource}
            | {"ResourceType": kind, "Status": "COMPLETED", "CreationDate": made, "CompletionDate": made}
            | {"IsEncrypted": True, "EncryptionKeyArn": key, "StorageClass": "WARM"}
        )
        return arn

    def answer(self, region, method, path, query, body):
        parts = [urllib.parse.unquote(part) for part in path.strip("/").split("/")]
        if method == "GET" and parts[0] == "backup-vaults" and parts[2:3] == ["recovery-points"]:
            mine = [it for it in self.points if it["BackupVaultArn"].split(":")[3] == region]
            mine = [it for it in mine if it["BackupVaultName"] == parts[1]]
            if len(parts) == 3:
                resource = query.get("resourceArn")
                return {"RecoveryPoints": [it for it in mine if resource in (None, it["ResourceArn"])]}
            # An ARN may hold slashes.
            rest = "/".join(parts[3:])
            arn = rest.removesuffix("/restore-metadata")
            found = next((it for it in mine if it["RecoveryPointArn"] == arn), None)
            if found is None:
                raise Refusal("ResourceNotFoundException", f"there is no recovery point {arn}")
            if arn != rest:
                name = found["ResourceArn"].split(":")[-1]
                recorded = {"DBInstanceIdentifier": name, "MultiAZ": "false"}
                recorded = recorded if found["ResourceType"] == "RDS" else {"file-system-id": name}
                return {"RecoveryPointArn": arn, "RestoreMetadata": recorded}
            return found
        if method == "PUT" and parts[0] in ("backup-jobs", "copy-jobs", "restore-jobs"):
            return self.order(region, parts[0], body)
        if method == "GET" and len(parts) == 2:
            return self.look(parts[0], parts[1])
        raise Refusal("InvalidRequestException", f"{method} {path}")

    def order(self, region, kind, order):
        def point_of(arn):
            return next(it for it in self.points if it["RecoveryPointArn"] == arn)

        def done(job):
            if kind == "restore-jobs":
                source = point_of(order["RecoveryPointArn"])
                return self.restored(region, source["ResourceType"], order["Metadata"])
            if kind == "copy-jobs":
                source = point_of(order["RecoveryPointArn"])
                # A copy keeps the date of its original.
                vault, made = order["DestinationBackupVaultArn"], source["CreationDate"]
                return self.point(vault, source["ResourceArn"], source["ResourceType"], made)
            vault = f"arn:aws:backup:{region}:{ACCOUNT}:backup-vault:{order['BackupVaultName']}"
            return self.point(vault, order["ResourceArn"], "RDS", int(job["begun"]))

        job = self.jobs.order(kind, region, order, order.get("IdempotencyToken"), done)
        name = {"backup-jobs": "BackupJobId", "copy-jobs": "CopyJobId", "restore-jobs": "RestoreJobId"}[kind]
        return {name: job["id"], "CreationDate": job["begun"]}

    def look(self, kind, id):
        job = self.jobs.find(kind, id)
        order, made = job["order"], job["made"]
        if kind == "restore-jobs":
            return {"RestoreJobId": id, "Status": job["state"], "CreatedResourceArn": made}
        if kind == "copy-jobs":
            source = order["RecoveryPointArn"]
            copy = {"CopyJobId": id, "State": job["state"], "SourceRecoveryPointArn": source}
            return {"CopyJob": copy | {"DestinationRecoveryPointArn": made}}
        created = {"CreationDate": job["begun"], "ResourceArn": order["ResourceArn"]}
        return {"BackupJobId": id, "State": job["state"], "RecoveryPointArn": made} | created


class Automations:
    """Systems Manager's automations. A document is a function of the region and the parameters."""

    def __init__(self, jobs):
        self.jobs, self.documents = jobs, {}

    def answer(self, region, operation, body):
        if operation == "StartAutomationExecution":
            document = self.documents.get((region, body["DocumentName"]))
            if document is None:
                raise Refusal("AutomationDefinitionNotFoundException", f"no document {body['DocumentName']}")
            parameters = body.get("Parameters", {})
            job = self.jobs.order(
                "automation", region, body, body.get("ClientToken"), lambda _: document(parameters)
            )
            return {"AutomationExecutionId": job["id"]}
        job = self.jobs.find("automation", body["AutomationExecutionId"])
        state = "Success" if job["state"] == "COMPLETED" else "InProgress"
        document = job["order"]["DocumentName"]
        found = {"AutomationExecutionId": job["id"], "AutomationExecutionStatus": state, "DocumentName": document}
        return {"AutomationExecution": found | {"Outputs": {}}}


CREDENTIAL = re.compile(r"Credential=([^/]+)/[^/]+/([^/]+)/([^/]+)/aws4_request")
GLOBAL = re.compile(rb"Action=\w*(Cluster|EngineVersion)|DBClusterIdentifier=")


class Cloud:
    """All of AWS behind one address: a WSGI application."""

    def __init__(self, moto, ministack, backup, automations):
        self.moto, self.ministack, self.backup, self.automations = moto, ministack, backup, automations

    def __call__(self, environ, start_response):
        found = CREDENTIAL.search(environ.get("HTTP_AUTHORIZATION", ""))
        region, service = (found[2], found[3]) if found else ("", "")
        length = int(environ.get("CONTENT_LENGTH") or 0)
        body = environ["wsgi.input"].read(length)
        environ["wsgi.input"] = io.BytesIO(body)
        operation = environ.get("HTTP_X_AMZ_TARGET", "").rpartition(".")[2]
        is_global = service == "dynamodb" or (service == "rds" and GLOBAL.search(body))
        if is_global and self.ministack:
            return self.forward(environ, body, start_response)
        try:
            if service == "backup":
                path = environ.get("REQUEST_URI") or environ["PATH_INFO"]
                path, _, query = path.partition("?")
                query = dict(urllib.parse.parse_qsl(query))
                said = self.backup.answer(
                    region, environ["REQUEST_METHOD"], path, query, json.loads(body or b"{}")
                )
            elif operation in ("StartAutomationExecution", "GetAutomationExecution"):
                said = self.automations.answer(region, operation, json.loads(body))
            else:
                return self.moto(environ, start_response)
        except Refusal as refusal:
            said = {"__type": refusal.code, "Code": refusal.code, "Message": str(refusal)}
            return answer(start_response, "400 Bad Request", json.dumps(said).encode(), refusal.code)
        return answer(start_response, "200 OK", json.dumps(said).encode())

    def forward(self, environ, body, start_response):
        headers = {key[5:].replace("_", "-"): value for key, value in environ.items() if key.startswith("HTTP_")}
        headers.pop("HOST", None)
        headers["Content-Type"] = environ.get("CONTENT_TYPE", "")
        url = self.ministack + environ["PATH_INFO"]
        request = urllib.request.Request(url, data=body, headers=headers, method=environ["REQUEST_METHOD"])
        try:
            response = urllib.request.urlopen(request, timeout=30)
        except urllib.error.HTTPError as error:
            response = error
        said = response.read()
        start_response(f"{response.status} ministack", [("Content-Type", response.headers["Content-Type"])])
        return [said]


def answer(start_response, status, body, code=None):
    headers = [("Content-Type", "application/json"), ("Content-Length", str(len(body)))]
    if code:
        headers.append(("x-amzn-ErrorType", code))
    start_response(status, headers)
    return [body]
