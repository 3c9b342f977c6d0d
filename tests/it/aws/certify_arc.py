"""Talks to the tests' fake of Application Recovery Controller with the vendor's SDK: names and forms must be its own."""

from vendor import client, refused


def controls():
    cluster = client("route53-recovery-cluster", "eu-west-1")
    panel = "arn:aws:route53-recovery-control::111122223333:controlpanel/p/"
    east, west = panel + "routingcontrol/east", panel + "routingcontrol/west"

    def entries(**states):
        return [
            {"RoutingControlArn": panel + "routingcontrol/" + name, "RoutingControlState": state}
            for name, state in states.items()
        ]

    assert cluster.get_routing_control_state(RoutingControlArn=east)["RoutingControlState"] == "On"
    cluster.update_routing_control_states(UpdateRoutingControlStateEntries=entries(east="Off", west="On"))
    assert cluster.get_routing_control_state(RoutingControlArn=west)["RoutingControlState"] == "On"
    both = entries(east="Off", west="Off")
    refused(cluster.exceptions.ConflictException, cluster.update_routing_control_states, UpdateRoutingControlStateEntries=both)
    rule = [panel + "safetyrule/one-on"]
    cluster.update_routing_control_states(UpdateRoutingControlStateEntries=both, SafetyRulesToOverride=rule)
    missing = cluster.exceptions.ResourceNotFoundException
    refused(missing, cluster.get_routing_control_state, RoutingControlArn=panel + "routingcontrol/north")


def region_switch():
    switch = client("arc-region-switch", "us-west-2")
    plan = "arn:aws:arc-region-switch::111122223333:plan/payments:abc123"
    order = dict(planArn=plan, targetRegion="us-west-2", action="activate", mode="ungraceful", clientToken="one", comment="c")
    first = switch.start_plan_execution(**order)["executionId"]
    assert switch.start_plan_execution(**order)["executionId"] == first
    states = []
    while "completed" not in states:
        found = switch.get_plan_execution(planArn=plan, executionId=first)
        states.append(found["executionState"])
    assert states == ["pending", "inProgress", "pendingManualApproval", "completed"], states
    assert found["stepStates"][0]["name"] == "promote"
    listed = switch.list_plan_executions(planArn=plan)["items"]
    assert [item["comment"] for item in listed] == ["c"] and listed[0]["executionAction"] == "activate", listed
    refused(switch.exceptions.ResourceNotFoundException, switch.get_plan_execution, planArn=plan, executionId="us-west-2/0")


for part in (controls, region_switch):
    part()
print("certified")
