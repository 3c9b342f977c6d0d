"""Talks to the tests' fake of Route 53 with the vendor's SDK: names, forms, waiters and error classes must be its own."""

from vendor import client, refused

route53 = client("route53", "us-east-1")
errors = route53.exceptions


def record(name, value="192.0.2.1", **more):
    return {"Name": name, "Type": "A", "TTL": 30, "ResourceRecords": [{"Value": value}], **more}


def change(*changes):
    batch = {"Changes": [{"Action": verb, "ResourceRecordSet": record} for verb, record in changes]}
    return route53.change_resource_record_sets(HostedZoneId="Z1", ChangeBatch=batch)["ChangeInfo"]


def names(**page):
    found = route53.list_resource_record_sets(HostedZoneId="Z1", **page)
    return [one["Name"] for one in found["ResourceRecordSets"]], found.get("NextRecordName")


def records():
    made = change(("CREATE", record("b.example.com")), ("CREATE", record("a.b.example.com")))
    assert made["Status"] == "PENDING" and made["Id"].startswith("/change/") and made["SubmittedAt"].year > 2000
    route53.get_waiter("resource_record_sets_changed").wait(Id=made["Id"], WaiterConfig={"Delay": 0, "MaxAttempts": 9})
    assert names() == (["b.example.com", "a.b.example.com"], None), names()
    assert names(MaxItems="1") == (["b.example.com"], "a.b.example.com.")
    assert names(StartRecordName="a.b.example.com") == (["a.b.example.com"], None)
    paginator = route53.get_paginator("list_resource_record_sets")
    pages = list(paginator.paginate(HostedZoneId="Z1", PaginationConfig={"PageSize": 1}))
    assert [len(page["ResourceRecordSets"]) for page in pages] == [1, 1]
    change(("UPSERT", record("b.example.com", "192.0.2.2")), ("DELETE", record("a.b.example.com")))
    found = route53.list_resource_record_sets(HostedZoneId="Z1")["ResourceRecordSets"]
    assert found == [record("b.example.com", "192.0.2.2")], found


def refusals():
    def refuses(*changes):
        batch = {"Changes": [{"Action": verb, "ResourceRecordSet": record} for verb, record in changes]}
        call = route53.change_resource_record_sets
        return refused(errors.InvalidChangeBatch, call, HostedZoneId="Z1", ChangeBatch=batch)

    assert "already exists" in refuses(("CREATE", record("c.example.com")), ("CREATE", record("b.example.com")))
    assert names() == (["b.example.com"], None), "a batch is atomic"
    assert "do not match" in refuses(("DELETE", record("b.example.com")))
    assert "limit of 1000" in refuses(*[("UPSERT", record(f"n{n}.example.com")) for n in range(501)])
    primary = {"SetIdentifier": "x", "Failover": "PRIMARY"}
    other = {"SetIdentifier": "y", "Failover": "PRIMARY"}
    assert "two PRIMARY" in refuses(
        ("CREATE", record("f.example.com", **primary)), ("CREATE", record("f.example.com", **other))
    )
    refused(errors.NoSuchHostedZone, route53.list_resource_record_sets, HostedZoneId="Z404")
    refused(errors.NoSuchChange, route53.get_change, Id="C404")


def health():
    found = route53.get_health_check(HealthCheckId="east")["HealthCheck"]
    assert found["HealthCheckConfig"]["Inverted"] is False
    version = found["HealthCheckVersion"]
    call = route53.update_health_check
    stale = {"HealthCheckId": "east", "HealthCheckVersion": version + 1, "Inverted": True}
    refused(errors.HealthCheckVersionMismatch, call, **stale)
    updated = call(HealthCheckId="east", HealthCheckVersion=version, Inverted=True)["HealthCheck"]
    assert updated["HealthCheckVersion"] == version + 1 and updated["HealthCheckConfig"]["Inverted"] is True
    seen = route53.get_health_check_status(HealthCheckId="east")["HealthCheckObservations"]
    assert [one["StatusReport"]["Status"].split(":")[0] for one in seen] == ["Success"] * 3
    refused(errors.NoSuchHealthCheck, route53.get_health_check, HealthCheckId="nobody")


records()
refusals()
health()
print("certified")
