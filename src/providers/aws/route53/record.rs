//! One record set with everything it takes to put it back as it was. Must never leave out a field of the
//! SDK's form: what is left out would be lost when the record is written.

use std::fmt;

use aws_sdk_route53::error::BuildError;
use aws_sdk_route53::types::{
    AliasTarget, CidrRoutingConfig, Coordinates, GeoLocation, GeoProximityLocation, ResourceRecord,
    ResourceRecordSet, ResourceRecordSetFailover, ResourceRecordSetRegion, RrType,
};
use serde::{Deserialize, Serialize};

use super::names;

/// TTL that is assumed of an alias: that of the load balancers and other things of AWS behind it.
const ALIAS_TTL: u64 = 60;

/// What tells one record set of a zone from another.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub(super) struct Key {
    /// In normal form.
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    pub(super) set: Option<String>,
}

impl Key {
    pub(super) fn new(name: &str, kind: &str, set: Option<&str>) -> Self {
        Self { name: names::normal(name), kind: kind.to_owned(), set: set.map(str::to_owned) }
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.name, self.kind)?;
        self.set.as_ref().map_or(Ok(()), |set| write!(f, " [{set}]"))
    }
}

/// A record set.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(default)]
pub(super) struct Record {
    /// As it is written; compared in normal form.
    pub(super) name: String,
    #[serde(rename = "type")]
    pub(super) kind: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) set: Option<String>,
    /// Seconds.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) ttl: Option<u64>,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) values: Vec<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) alias: Option<Alias>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) weight: Option<u32>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) failover: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) region: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) health_check: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) multivalue: Option<bool>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) traffic_policy: Option<String>,
    /// Continent, country, subdivision.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) geo: Option<[Option<String>; 3]>,
    /// Collection and location.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) cidr: Option<[String; 2]>,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) proximity: Option<Proximity>,
}

/// Target of an alias.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Alias {
    pub(super) zone: String,
    pub(super) name: String,
    pub(super) evaluate: bool,
}

/// Place of a record in geoproximity routing.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Proximity {
    region: Option<String>,
    local_zone_group: Option<String>,
    /// Latitude and longitude.
    coordinates: Option<[String; 2]>,
    bias: Option<i32>,
}

impl Record {
    pub(super) fn key(&self) -> Key {
        Key::new(&self.name, &self.kind, self.set.as_deref())
    }

    /// How long resolvers may keep it, in milliseconds.
    pub(super) fn ttl_ms(&self) -> u64 {
        self.ttl.unwrap_or(ALIAS_TTL) * 1_000
    }

    /// Whether both say the same, however they are written.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        self.normal() == other.normal()
    }

    /// What it says, for people.
    pub(super) fn told(&self) -> String {
        let alias = self.alias.as_ref().map(|alias| format!("alias of {}", alias.name));
        let weight = self.weight.map(|weight| format!("weight {weight}"));
        let role = self.failover.clone();
        let values = (!self.values.is_empty()).then(|| self.values.join(" "));
        let parts: Vec<String> = [values, alias, weight, role].into_iter().flatten().collect();
        parts.join(", ")
    }

    fn normal(&self) -> Self {
        let mut it = self.clone();
        it.name = names::normal(&it.name);
        it.values.sort();
        if let Some(alias) = &mut it.alias {
            alias.name = names::normal(&alias.name);
        }
        if ["CNAME", "NS", "PTR"].contains(&it.kind.as_str()) {
            it.values = it.values.iter().map(|value| names::normal(value)).collect();
        }
        it.multivalue = it.multivalue.filter(|multivalue| *multivalue);
        it
    }

    /// The SDK's form of it.
    pub(super) fn to_sdk(&self) -> Result<ResourceRecordSet, BuildError> {
        let mut values = Vec::new();
        for value in &self.values {
            values.push(ResourceRecord::builder().value(value).build()?);
        }
        let alias = self.alias.as_ref().map(|it| {
            let alias = AliasTarget::builder().hosted_zone_id(&it.zone).dns_name(&it.name);
            alias.evaluate_target_health(it.evaluate).build()
        });
        let cidr = self.cidr.as_ref().map(|[collection, location]| {
            CidrRoutingConfig::builder().collection_id(collection).location_name(location).build()
        });
        let geo = self.geo.clone().map(|[continent, country, subdivision]| {
            let geo = GeoLocation::builder().set_continent_code(continent).set_country_code(country);
            geo.set_subdivision_code(subdivision).build()
        });
        ResourceRecordSet::builder()
            .name(&self.name)
            .r#type(RrType::from(self.kind.as_str()))
            .set_set_identifier(self.set.clone())
            .set_ttl(self.ttl.and_then(|ttl| i64::try_from(ttl).ok()))
            .set_resource_records((!values.is_empty()).then_some(values))
            .set_alias_target(alias.transpose()?)
            .set_weight(self.weight.map(i64::from))
            .set_failover(self.failover.as_deref().map(ResourceRecordSetFailover::from))
            .set_region(self.region.as_deref().map(ResourceRecordSetRegion::from))
            .set_health_check_id(self.health_check.clone())
            .set_multi_value_answer(self.multivalue)
            .set_traffic_policy_instance_id(self.traffic_policy.clone())
            .set_geo_location(geo)
            .set_cidr_routing_config(cidr.transpose()?)
            .set_geo_proximity_location(self.proximity.as_ref().map(Proximity::to_sdk).transpose()?)
            .build()
    }
}

impl From<&ResourceRecordSet> for Record {
    fn from(it: &ResourceRecordSet) -> Self {
        let geo = it.geo_location().map(|geo| {
            let parts = [geo.continent_code(), geo.country_code(), geo.subdivision_code()];
            parts.map(|part| part.map(str::to_owned))
        });
        Self {
            name: it.name().to_owned(),
            kind: it.r#type().as_str().to_owned(),
            set: it.set_identifier().map(str::to_owned),
            ttl: it.ttl().and_then(|ttl| u64::try_from(ttl).ok()),
            values: it.resource_records().iter().map(|record| record.value().to_owned()).collect(),
            alias: it.alias_target().map(|alias| Alias {
                zone: alias.hosted_zone_id().to_owned(),
                name: alias.dns_name().to_owned(),
                evaluate: alias.evaluate_target_health(),
            }),
            weight: it.weight().and_then(|weight| u32::try_from(weight).ok()),
            failover: it.failover().map(|role| role.as_str().to_owned()),
            region: it.region().map(|region| region.as_str().to_owned()),
            health_check: it.health_check_id().map(str::to_owned),
            multivalue: it.multi_value_answer(),
            traffic_policy: it.traffic_policy_instance_id().map(str::to_owned),
            geo,
            cidr: it
                .cidr_routing_config()
                .map(|cidr| [cidr.collection_id().to_owned(), cidr.location_name().to_owned()]),
            proximity: it.geo_proximity_location().map(Proximity::from),
        }
    }
}

impl Proximity {
    fn to_sdk(&self) -> Result<GeoProximityLocation, BuildError> {
        let coordinates = self.coordinates.as_ref().map(|[latitude, longitude]| {
            Coordinates::builder().latitude(latitude).longitude(longitude).build()
        });
        Ok(GeoProximityLocation::builder()
            .set_aws_region(self.region.clone())
            .set_local_zone_group(self.local_zone_group.clone())
            .set_coordinates(coordinates.transpose()?)
            .set_bias(self.bias)
            .build())
    }
}

impl From<&GeoProximityLocation> for Proximity {
    fn from(it: &GeoProximityLocation) -> Self {
        Self {
            region: it.aws_region().map(str::to_owned),
            local_zone_group: it.local_zone_group().map(str::to_owned),
            coordinates: it.coordinates().map(|at| [at.latitude().to_owned(), at.longitude().to_owned()]),
            bias: it.bias(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn full() -> Record {
        Record {
            name: "www.example.com.".into(),
            kind: "A".into(),
            set: Some("east".into()),
            ttl: Some(30),
            values: vec!["192.0.2.1".into(), "192.0.2.2".into()],
            alias: Some(Alias { zone: "Z9".into(), name: "lb.example.".into(), evaluate: true }),
            weight: Some(7),
            failover: Some("PRIMARY".into()),
            region: Some("us-west-2".into()),
            health_check: Some("hc".into()),
            multivalue: Some(true),
            traffic_policy: Some("tp".into()),
            geo: Some([Some("EU".into()), None, Some("X".into())]),
            cidr: Some(["c".into(), "l".into()]),
            proximity: Some(Proximity {
                region: Some("aws:region:us-west-2".into()),
                local_zone_group: Some("g".into()),
                coordinates: Some(["1.0".into(), "2.0".into()]),
                bias: Some(3),
            }),
        }
    }

    #[test]
    fn nothing_is_lost_on_the_way_through_the_sdk_and_the_journal() {
        let record = full();
        assert_eq!(Record::from(&record.to_sdk().unwrap()), record);
        let journaled = serde_json::to_value(&record).unwrap();
        assert_eq!(serde_json::from_value::<Record>(journaled).unwrap(), record);
        let bare = Record { name: "x".into(), kind: "A".into(), ..Record::default() };
        assert_eq!(serde_json::to_value(&bare).unwrap(), serde_json::json!({"name": "x", "type": "A"}));
    }

    #[test]
    fn the_order_of_values_and_the_writing_of_names_make_no_difference() {
        let mut other = full();
        other.name = "WWW.example.com".into();
        other.values.reverse();
        assert!(full().says_the_same(&other));
        assert_eq!(full().key(), other.key());
        other.weight = Some(8);
        assert!(!full().says_the_same(&other));
    }
}
