"""Talks to the tests' fake of capacity with the vendor's SDK: names and forms must be its own."""

from vendor import client


def groups():
    scaling = client("autoscaling", "us-west-2")

    def found():
        return scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["g"])["AutoScalingGroups"][0]

    scaling.update_auto_scaling_group(AutoScalingGroupName="g", MinSize=2, MaxSize=5, DesiredCapacity=3)
    states = []
    while states[-3:] != ["InService"] * 3:
        states = [i["LifecycleState"] for i in found()["Instances"] if i["HealthStatus"] == "Healthy"]
    assert (found()["MinSize"], found()["MaxSize"], found()["DesiredCapacity"]) == (2, 5, 3)
    assert scaling.describe_auto_scaling_groups(AutoScalingGroupNames=["x"])["AutoScalingGroups"] == []
    assert scaling.describe_scaling_activities(AutoScalingGroupName="g", MaxRecords=1)["Activities"] == []


def room():
    ec2 = client("ec2", "us-west-2")
    assert ec2.describe_subnets(SubnetIds=["subnet-1"])["Subnets"][0]["AvailableIpAddressCount"] == 250
    found = ec2.describe_instance_types(InstanceTypes=["m5.large"])["InstanceTypes"][0]
    assert found["VCpuInfo"]["DefaultVCpus"] == 2
    quota = client("service-quotas", "us-west-2").get_service_quota(ServiceCode="ec2", QuotaCode="L-1216C47A")["Quota"]
    assert quota["Value"] == 64.0


def nodegroups():
    eks = client("eks", "us-west-2")
    order = dict(
        clusterName="c",
        nodegroupName="n",
        scalingConfig={"minSize": 1, "maxSize": 4, "desiredSize": 2},
        clientRequestToken="one",
    )
    first = eks.update_nodegroup_config(**order)["update"]["id"]
    assert eks.update_nodegroup_config(**order)["update"]["id"] == first
    states = []
    while "Successful" not in states:
        states.append(eks.describe_update(name="c", nodegroupName="n", updateId=first)["update"]["status"])
    assert states[0] == "InProgress", states
    found = eks.describe_nodegroup(clusterName="c", nodegroupName="n")["nodegroup"]
    assert found["scalingConfig"]["desiredSize"] == 2 and found["resources"]["autoScalingGroups"][0]["name"] == "g"
    try:
        eks.describe_nodegroup(clusterName="c", nodegroupName="x")
    except eks.exceptions.ResourceNotFoundException:
        return
    raise AssertionError("a node group that is not there was found")


def automations():
    ssm = client("ssm", "us-west-2")
    token = "12345678-1234-4234-8234-123456789012"
    order = dict(DocumentName="Drain", ClientToken=token, Parameters={"Cluster": ["payments"]})
    first = ssm.start_automation_execution(**order)["AutomationExecutionId"]
    assert ssm.start_automation_execution(**order)["AutomationExecutionId"] == first
    states = []
    while "Success" not in states:
        found = ssm.get_automation_execution(AutomationExecutionId=first)["AutomationExecution"]
        states.append(found["AutomationExecutionStatus"])
    assert states == ["Pending", "InProgress", "Success"], states
    assert found["Outputs"] == {"drain.Count": ["3"]}
    try:
        ssm.start_automation_execution(DocumentName="nobody")
    except ssm.exceptions.AutomationDefinitionNotFoundException:
        return
    raise AssertionError("a document that is not there was run")


def documents():
    ssm = client("ssm", "us-west-2")
    found = ssm.describe_document(Name="drain")["Document"]
    assert (found["Status"], found["DocumentType"]) == ("Active", "Automation"), found
    assert [it["Name"] for it in found["Parameters"] if "DefaultValue" not in it] == ["Cluster"], found
    try:
        ssm.describe_document(Name="nobody")
    except ssm.exceptions.InvalidDocument:
        return
    raise AssertionError("a document that is not there was described")


def services():
    ecs = client("ecs", "us-west-2")
    ecs.update_service(cluster="c", service="s", desiredCount=3)
    first = ecs.describe_services(cluster="c", services=["s"])["services"][0]
    assert first["deployments"][0]["rolloutState"] == "IN_PROGRESS" and first["runningCount"] == 1, first
    waiter = {"Delay": 0, "MaxAttempts": 9}
    ecs.get_waiter("services_stable").wait(cluster="c", services=["s"], WaiterConfig=waiter)
    assert ecs.describe_services(cluster="c", services=["x"])["failures"][0]["reason"] == "MISSING"


for part in (groups, room, nodegroups, automations, documents, services):
    part()
print("certified")
