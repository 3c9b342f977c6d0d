"""Talks to the tests' fake of AWS Backup with the vendor's SDK: names and forms must be its own."""

from vendor import client, refused

ROLE = "arn:aws:iam::111122223333:role/backup"
RESOURCE = "arn:aws:rds:us-east-1:111122223333:db:payments"


east, west = client("backup", "us-east-1"), client("backup", "us-west-2")


def follow(look, state):
    states = []
    while not states or states[-1] not in ("COMPLETED", "FAILED"):
        found = look()
        states.append(found[state])
    assert len(states) == 3, states
    return found


def backup():
    order = dict(BackupVaultName="main", ResourceArn=RESOURCE, IamRoleArn=ROLE, IdempotencyToken="one")
    first = east.start_backup_job(**order)["BackupJobId"]
    assert east.start_backup_job(**order)["BackupJobId"] == first
    found = follow(lambda: east.describe_backup_job(BackupJobId=first), "State")
    return found["RecoveryPointArn"], found["CreationDate"]


def copy(point, made):
    target = "arn:aws:backup:us-west-2:111122223333:backup-vault:dr"
    order = dict(RecoveryPointArn=point, SourceBackupVaultName="main", DestinationBackupVaultArn=target, IamRoleArn=ROLE)
    job = east.start_copy_job(**order, IdempotencyToken="two")["CopyJobId"]
    copied = follow(lambda: east.describe_copy_job(CopyJobId=job)["CopyJob"], "State")["DestinationRecoveryPointArn"]
    found = west.describe_recovery_point(BackupVaultName="dr", RecoveryPointArn=copied)
    assert found["CreationDate"] == made and found["Status"] == "COMPLETED", found
    assert [job["SourceRecoveryPointArn"] for job in east.list_copy_jobs()["CopyJobs"]] == [point]
    return copied


def restore(point):
    recorded = west.get_recovery_point_restore_metadata(BackupVaultName="dr", RecoveryPointArn=point)["RestoreMetadata"]
    job = west.start_restore_job(RecoveryPointArn=point, Metadata=recorded, IamRoleArn=ROLE, ResourceType="RDS")["RestoreJobId"]
    found = follow(lambda: west.describe_restore_job(RestoreJobId=job), "Status")
    assert found["CreatedResourceArn"] == "arn:aws:rds:us-west-2:111122223333:db:payments", found


def listings():
    pages = west.get_paginator("list_recovery_points_by_backup_vault").paginate(BackupVaultName="dr", ByResourceArn=RESOURCE)
    assert len([point for page in pages for point in page["RecoveryPoints"]]) == 1
    missing = west.exceptions.ResourceNotFoundException
    refused(missing, west.list_recovery_points_by_backup_vault, BackupVaultName="nobody")
    refused(missing, west.describe_recovery_point, BackupVaultName="dr", RecoveryPointArn="arn:x")
    refused(missing, west.describe_restore_job, RestoreJobId="x")


def plans():
    found = [plan for page in east.get_paginator("list_backup_plans").paginate() for plan in page["BackupPlansList"]]
    assert sorted(plan["BackupPlanName"] for plan in found) == ["nightly", "other"], found
    plan = east.get_backup_plan(BackupPlanId="nightly")["BackupPlan"]
    rule = plan["Rules"][0]
    assert rule["Lifecycle"] == {"DeleteAfterDays": 35} and rule["ScheduleExpression"] == "cron(0 5 ? * * *)", rule
    assert rule["CopyActions"][0]["DestinationBackupVaultArn"].endswith(":backup-vault:dr"), rule
    selections = east.list_backup_selections(BackupPlanId="nightly")["BackupSelectionsList"]
    selection = east.get_backup_selection(BackupPlanId="nightly", SelectionId=selections[0]["SelectionId"])
    assert selection["BackupSelection"]["Resources"] == [RESOURCE], selection
    vault = west.describe_backup_vault(BackupVaultName="dr")
    assert vault["EncryptionKeyArn"] == "arn:aws:kms:us-west-2:111122223333:key/1", vault
    missing = east.exceptions.ResourceNotFoundException
    refused(missing, east.describe_backup_vault, BackupVaultName="nobody")
    refused(missing, east.get_backup_plan, BackupPlanId="nobody")
    refused(missing, west.get_backup_plan, BackupPlanId="nightly")


restore(copy(*backup()))
plans()
listings()
print("certified")
