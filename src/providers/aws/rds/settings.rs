//! Settings of a new database, as the various orders of RDS take them. Must refuse what an order cannot take,
//! never leave it out.

use super::permanent;
use crate::model::action::aws::rds::DatabaseSettings;
use crate::model::run::Failure;

/// Puts the settings of an instance into an order that makes one.
macro_rules! instance_settings {
    ($order:expr, $settings:expr, $tags:expr) => {{
        let settings = $settings;
        $order
            .set_db_instance_class(settings.instance_class.clone())
            .set_availability_zone(settings.availability_zone.clone())
            .set_db_subnet_group_name(settings.subnet_group.clone())
            .set_vpc_security_group_ids($crate::providers::aws::rds::settings::given(
                &settings.security_group_ids,
            ))
            .set_db_parameter_group_name(settings.parameter_group.clone())
            .set_option_group_name(settings.option_group.clone())
            .set_multi_az(settings.multi_az)
            .set_port(settings.port.map(i32::from))
            .set_publicly_accessible(settings.publicly_accessible)
            .set_storage_type(settings.storage_type.clone())
            .set_iops(settings.iops.and_then(|iops| i32::try_from(iops).ok()))
            .set_deletion_protection(settings.deletion_protection)
            .set_tags(Some($tags))
    }};
}

/// Puts the settings of a cluster into an order that makes one.
macro_rules! cluster_settings {
    ($order:expr, $settings:expr, $instances:expr, $tags:expr) => {{
        let settings = $settings;
        // The class is that of the instances where the cluster has instances of its own.
        let class = settings.instance_class.clone().filter(|_| $instances.is_empty());
        $order
            .set_db_cluster_instance_class(class)
            .set_db_subnet_group_name(settings.subnet_group.clone())
            .set_vpc_security_group_ids($crate::providers::aws::rds::settings::given(
                &settings.security_group_ids,
            ))
            .set_db_cluster_parameter_group_name(settings.parameter_group.clone())
            .set_option_group_name(settings.option_group.clone())
            .set_port(settings.port.map(i32::from))
            .set_publicly_accessible(settings.publicly_accessible.filter(|_| $instances.is_empty()))
            .set_storage_type(settings.storage_type.clone())
            .set_iops(settings.iops.and_then(|iops| i32::try_from(iops).ok()))
            .set_deletion_protection(settings.deletion_protection)
            .set_tags(Some($tags))
    }};
}

pub(super) use {cluster_settings, instance_settings};

/// A list, unless it is empty: an empty one would be an order to have none.
pub(super) fn given(list: &[String]) -> Option<Vec<String>> {
    (!list.is_empty()).then(|| list.to_vec())
}

/// Refuses settings that RDS does not take for an instance made from a copy.
pub(super) fn check_instance(settings: &DatabaseSettings) -> Result<(), Failure> {
    if settings.engine_version.is_some() {
        return Err(permanent(
            "`settings.engine_version` cannot be given for an instance: it keeps the version of its source",
        ));
    }
    Ok(())
}

/// Refuses settings that RDS does not take for a cluster.
pub(super) fn check_cluster(settings: &DatabaseSettings, instances: &[String]) -> Result<(), Failure> {
    if settings.multi_az.is_some() || settings.availability_zone.is_some() {
        return Err(permanent(
            "`settings.multi_az` and `settings.availability_zone` are for instances; a cluster spreads over zones itself",
        ));
    }
    if !instances.is_empty() && settings.instance_class.is_none() {
        return Err(permanent("`cluster_instances` need a `settings.instance_class`"));
    }
    Ok(())
}
