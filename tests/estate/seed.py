"""The estate before anything has happened, as the shipped runbooks expect it: each function makes what one of them
needs, with the identifiers that stand in it. Everything goes through AWS's own API; only identifiers that AWS chooses
are put in place afterwards.
"""

import datetime
import io
import time
import zipfile

import boto3
from botocore.config import Config
from moto.awslambda.models import lambda_backends
from moto.ec2 import ec2_backends
from moto.rds.models import rds_backends
from moto.route53.models import route53_backends

from gaps import ACCOUNT


class Account:
    """The account, as the vendor's own SDK sees it."""

    def __init__(self, url):
        self.url = url

    def client(self, service, region):
        return boto3.client(
            service,
            region_name=region,
            endpoint_url=self.url,
            aws_access_key_id=ACCOUNT,
            aws_secret_access_key="not-checked",
            config=Config(retries={"max_attempts": 0}),
        )

    # Databases

    def database(self, region, name, **more):
        self.client("rds", region).create_db_instance(
            DBInstanceIdentifier=name,
            DBInstanceClass="db.t3.medium",
            Engine="postgres",
            AllocatedStorage=20,
            MasterUsername="root",
            MasterUserPassword="not-a-secret",
            BackupRetentionPeriod=7,
            VpcSecurityGroupIds=[self.group(region, f"{name}-open")],
            **more,
        )
        return f"arn:aws:rds:{region}:{ACCOUNT}:db:{name}"

    def replica(self, region, name, source):
        self.client("rds", region).create_db_instance_read_replica(
            DBInstanceIdentifier=name, SourceDBInstanceIdentifier=source
        )

    def group(self, region, name, wanted=None):
        """A security group without inbound rules."""
        client = self.client("ec2", region)
        id = client.create_security_group(GroupName=name, Description=name)["GroupId"]
        if wanted:
            for groups in ec2_backends[ACCOUNT][region].groups.values():
                if id in groups:
                    groups[wanted] = groups.pop(id)
                    groups[wanted].id = groups[wanted].group_id = wanted
        return wanted or id

    def measure(self, region, namespace, name, dimensions, value):
        dimensions = [{"Name": key, "Value": value} for key, value in dimensions.items()]
        now = datetime.datetime.now(datetime.timezone.utc)
        data = {"MetricName": name, "Dimensions": dimensions, "Timestamp": now, "Value": value}
        self.client("cloudwatch", region).put_metric_data(Namespace=namespace, MetricData=[data])

    def alarm(self, region, name):
        client = self.client("cloudwatch", region)
        client.put_metric_alarm(
            AlarmName=name,
            MetricName="Used",
            Namespace="Quotas",
            Period=60,
            EvaluationPeriods=1,
            Statistic="Maximum",
            Threshold=80,
            ComparisonOperator="GreaterThanThreshold",
        )
        client.set_alarm_state(AlarmName=name, StateValue="OK", StateReason="as it should be")

    # Compute

    def service(self, region, cluster, service, tasks, most):
        """An ECS service that autoscaling keeps."""
        client = self.client("ecs", region)
        client.create_cluster(clusterName=cluster)
        container = {"name": "web", "image": "web", "memory": 128, "cpu": 128}
        client.register_task_definition(family=service, containerDefinitions=[container])
        client.create_service(
            cluster=cluster, serviceName=service, taskDefinition=service, desiredCount=0, launchType="EC2"
        )
        # moto runs tasks when their number is changed, not when the service is made.
        client.update_service(cluster=cluster, service=service, desiredCount=tasks)
        self.client("application-autoscaling", region).register_scalable_target(
            ServiceNamespace="ecs",
            ResourceId=f"service/{cluster}/{service}",
            ScalableDimension="ecs:service:DesiredCount",
            MinCapacity=tasks,
            MaxCapacity=most,
        )

    def instances(self, region, group, size):
        """An Auto Scaling group."""
        client = self.client("autoscaling", region)
        image = self.client("ec2", region).describe_images()["Images"][0]["ImageId"]
        client.create_launch_configuration(
            LaunchConfigurationName=group, ImageId=image, InstanceType="t3.micro"
        )
        client.create_auto_scaling_group(
            AutoScalingGroupName=group,
            LaunchConfigurationName=group,
            MinSize=size,
            MaxSize=size * 2,
            DesiredCapacity=size,
            AvailabilityZones=[f"{region}a"],
        )

    def consumers(self, region, name, wanted, enabled):
        """A function that consumes a queue."""
        role = self.client("iam", region)
        try:
            arn = role.get_role(RoleName="consumers")["Role"]["Arn"]
        except role.exceptions.NoSuchEntityException:
            arn = role.create_role(RoleName="consumers", AssumeRolePolicyDocument="{}")["Role"]["Arn"]
        queues = self.client("sqs", region)
        queue = queues.create_queue(QueueName=name)["QueueUrl"]
        source = queues.get_queue_attributes(QueueUrl=queue, AttributeNames=["QueueArn"])["Attributes"]["QueueArn"]
        program = io.BytesIO()
        with zipfile.ZipFile(program, "w") as archive:
            archive.writestr("lambda_function.py", "def lambda_handler(event, context):\n    return event\n")
        client = self.client("lambda", region)
        client.create_function(
            FunctionName=name,
            Runtime="python3.11",
            Role=arn,
            Handler="lambda_function.lambda_handler",
            Code={"ZipFile": program.getvalue()},
        )
        made = client.create_event_source_mapping(FunctionName=name, EventSourceArn=source, Enabled=enabled)
        mappings = lambda_backends[ACCOUNT][region]._event_source_mappings
        mapping = mappings[wanted] = mappings.pop(made["UUID"])
        mapping.uuid = wanted

    # Route 53

    def zone(self, wanted, name):
        client = self.client("route53", "us-east-1")
        made = client.create_hosted_zone(Name=name, CallerReference=wanted)["HostedZone"]["Id"]
        zones = route53_backends[ACCOUNT]["aws"].zones
        zone = zones[wanted] = zones.pop(made.split("/")[-1])
        zone.resource_id = wanted

    def record(self, zone, name, kind, value, **more):
        record = {"Name": name, "Type": kind, "TTL": 5, "ResourceRecords": [{"Value": value}]} | more
        changes = {"Changes": [{"Action": "CREATE", "ResourceRecordSet": record}]}
        self.client("route53", "us-east-1").change_resource_record_sets(HostedZoneId=zone, ChangeBatch=changes)

    def health_check(self, wanted, host):
        config = {"Type": "HTTPS", "FullyQualifiedDomainName": host, "ResourcePath": "/health", "Port": 443}
        client = self.client("route53", "us-east-1")
        made = client.create_health_check(CallerReference=wanted, HealthCheckConfig=config)["HealthCheck"]["Id"]
        checks = route53_backends[ACCOUNT]["aws"].health_checks
        check = checks[wanted] = checks.pop(made)
        check.id = wanted


def touch(client):
    """Asks something of a service, whatever it answers."""
    try:
        if client.meta.service_model.service_name == "backup":
            client.describe_restore_job(RestoreJobId="none")
        else:
            client.get_automation_execution(AutomationExecutionId="0" * 36)
    except client.exceptions.ClientError:
        pass


def warm_standby(it):
    """payments: a database in us-east-1 with a replica in us-west-2."""
    source = it.database("us-east-1", "payments-db-east")
    it.replica("us-west-2", "payments-db-west", source)
    it.group("us-east-1", "quarantine", "sg-0e1a57000000000ee")
    it.group("us-west-2", "quarantine", "sg-0e57000000000000e")
    it.service("us-east-1", "pay-east", "payments-api", 12, 24)
    it.service("us-west-2", "pay-west", "payments-api", 3, 24)
    it.consumers("us-east-1", "payments", "6b2f0f0e-0001-4e57-8000-00000000ea57", True)
    it.consumers("us-west-2", "payments", "6b2f0f0e-0002-4e57-8000-00000000e570", False)
    for name in ("payments-capacity-headroom", "payments-quota"):
        it.alarm("us-west-2", name)


def aurora(it):
    """bookings: an Aurora global database, us-east-1 its writer."""
    it.service("us-east-1", "bookings-east", "bookings-api", 12, 24)
    it.service("us-west-2", "bookings-west", "bookings-api", 3, 24)
    it.alarm("us-west-2", "bookings-quota")
    engine = {"Engine": "aurora-postgresql"}
    east, west = it.client("rds", "us-east-1"), it.client("rds", "us-west-2")
    version = east.describe_db_engine_versions(**engine)["DBEngineVersions"][0]["EngineVersion"]
    engine["EngineVersion"] = version
    owner = {"MasterUsername": "root", "MasterUserPassword": "not-a-secret"}
    first = east.create_db_cluster(DBClusterIdentifier="bookings-east", **engine, **owner)["DBCluster"]
    east.create_global_cluster(
        GlobalClusterIdentifier="bookings", SourceDBClusterIdentifier=first["DBClusterArn"]
    )
    west.create_db_cluster(DBClusterIdentifier="bookings-west", GlobalClusterIdentifier="bookings", **engine)
    for client, name in ((east, "bookings-east"), (west, "bookings-west")):
        client.create_db_instance(
            DBInstanceIdentifier=f"{name}-1",
            DBInstanceClass="db.r6g.large",
            DBClusterIdentifier=name,
            Engine="aurora-postgresql",
        )


def pilot_light(it, automations):
    """orders: a database in eu-central-1 with a replica in eu-west-1, where nothing else runs."""
    source = it.database("eu-central-1", "orders-db-frankfurt")
    it.replica("eu-west-1", "orders-db-dublin", source)
    it.group("eu-central-1", "quarantine", "sg-0f4a0000000000001")
    it.group("eu-west-1", "quarantine", "sg-0d0b0000000000001")
    for name, size in (("web", 6), ("api", 8), ("worker", 4)):
        it.instances("eu-central-1", f"orders-{name}", size)
        it.instances("eu-west-1", f"orders-{name}", 0)
    it.alarm("eu-west-1", "orders-quota-vcpus")
    it.health_check("11111111-aaaa-4aaa-8aaa-000000000001", "frankfurt.orders.example.com")
    it.health_check("11111111-aaaa-4aaa-8aaa-000000000002", "dublin.orders.example.com")
    for region in ("eu-central-1", "eu-west-1"):
        automations.documents[region, "orders-warm-cache"] = lambda parameters: None


def backup_restore(it, backup, automations):
    """reports: a database and files in us-east-2, of which last night's copies lie in us-west-2."""
    database = it.database("us-east-2", "reports-db-ohio")
    it.instances("us-east-2", "reports-web", 4)
    files = f"arn:aws:elasticfilesystem:us-east-2:{ACCOUNT}:file-system/fs-0011"
    now = int(time.time())
    for region, vault in (("us-east-2", "reports-ohio"), ("us-west-2", "reports-oregon")):
        vault = f"arn:aws:backup:{region}:{ACCOUNT}:backup-vault:{vault}"
        for days in (0, 1):
            backup.point(vault, database, "RDS", now - 9 * 3600 - days * 86_400)
            backup.point(vault, files, "EFS", now - 9 * 3600 - 600 - days * 86_400)
    for region, name in (("us-west-2", "oregon"), ("us-east-2", "ohio")):
        # The template makes the network and a group of size zero.
        automations.documents[region, f"reports-network-{name}"] = (
            lambda parameters, region=region: it.instances(region, "reports-web", 0)
        )
    it.zone("Z0REPORTS", "reports.example.com")
    it.record("Z0REPORTS", "reports.example.com", "CNAME", "reports-ohio-1111.us-east-2.elb.amazonaws.com")


def active_active(it):
    """catalog: three sites that serve all the time, with one table everywhere."""
    regions = {"oregon": "us-west-2", "dublin": "eu-west-1", "tokyo": "ap-northeast-1"}
    it.zone("Z0CATALOG", "catalog.example.com")
    for at, (site, region) in enumerate(regions.items(), 1):
        it.service(region, f"catalog-{site}", "catalog", 20, 60)
        it.consumers(region, "catalog", f"7c3f0f0e-000{at}-4e57-8000-00000000000{at}", True)
        it.record(
            "Z0CATALOG", "catalog.example.com", "A", f"192.0.2.{at}", SetIdentifier=site, Weight=100
        )
    table = it.client("dynamodb", "us-west-2")
    table.create_table(
        TableName="catalog",
        KeySchema=[{"AttributeName": "id", "KeyType": "HASH"}],
        AttributeDefinitions=[{"AttributeName": "id", "AttributeType": "S"}],
        BillingMode="PAY_PER_REQUEST",
        StreamSpecification={"StreamEnabled": True, "StreamViewType": "NEW_AND_OLD_IMAGES"},
    )
    for region in ("eu-west-1", "ap-northeast-1"):
        replica = {"Create": {"RegionName": region}}
        table.update_table(TableName="catalog", ReplicaUpdates=[replica])


def measurements(it, lost):
    """What CloudWatch hears each minute. Of a region that is lost, and of what follows it, it hears nothing more."""
    for region, backend in rds_backends[ACCOUNT].items():
        for database in list(backend.databases.values()):
            if database.is_replica and database.source_db_instance_identifier.split(":")[3] not in lost:
                dimensions = {"DBInstanceIdentifier": database.db_instance_identifier}
                it.measure(region, "AWS/RDS", "ReplicaLag", dimensions, 2)
    for region, source in (("us-west-2", "us-east-1"), ("us-east-1", "us-west-2")):
        if source not in lost:
            cluster = {"us-west-2": "bookings-west", "us-east-1": "bookings-east"}[region]
            it.measure(region, "AWS/RDS", "AuroraGlobalDBRPOLag", {"DBClusterIdentifier": cluster}, 800)
    regions = ("us-west-2", "eu-west-1", "ap-northeast-1")
    for source in regions:
        for receiver in regions:
            if source != receiver and source not in lost:
                dimensions = {"TableName": "catalog", "ReceivingRegion": receiver}
                it.measure(source, "AWS/DynamoDB", "ReplicationLatency", dimensions, 700)
