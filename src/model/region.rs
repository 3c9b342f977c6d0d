//! Regions of the clouds, as far as this build knows them. A region that is missing here may still
//! exist: it is
//! newer.

use super::values::Site;

/// Clouds whose regions are known.
pub const CLOUDS: [&str; 3] = ["aws", "azure", "gcp"];

/// Other names people give the clouds.
const ALIASES: [(&str, &str); 11] = [
    ("amazon", "aws"),
    ("amazon-web-services", "aws"),
    ("aws-cn", "aws"),
    ("aws-us-gov", "aws"),
    ("az", "azure"),
    ("microsoft", "azure"),
    ("ms-azure", "azure"),
    ("google", "gcp"),
    ("google-cloud", "gcp"),
    ("gcloud", "gcp"),
    ("googlecloud", "gcp"),
];

const AWS: &str = "af-south-1 ap-east-1 ap-east-2 ap-northeast-1 ap-northeast-2 ap-northeast-3 ap-south-1 \
     ap-south-2 ap-southeast-1 ap-southeast-2 ap-southeast-3 ap-southeast-4 ap-southeast-5 ap-southeast-6 \
     ap-southeast-7 ca-central-1 ca-west-1 cn-north-1 cn-northwest-1 eu-central-1 eu-central-2 \
     eu-isoe-west-1 \
     eu-north-1 eu-south-1 eu-south-2 eu-west-1 eu-west-2 eu-west-3 eusc-de-east-1 il-central-1 me-central-1 \
     me-south-1 mx-central-1 sa-east-1 us-east-1 us-east-2 us-gov-east-1 us-gov-west-1 us-iso-east-1 \
     us-iso-west-1 us-isob-east-1 us-isob-west-1 us-isof-east-1 us-isof-south-1 us-west-1 us-west-2";

const AZURE: &str = "australiacentral australiacentral2 australiaeast australiasoutheast austriaeast \
     belgiumcentral brazilsouth brazilsoutheast canadacentral canadaeast centralindia centralus chilecentral \
     chinaeast chinaeast2 chinaeast3 chinanorth chinanorth2 chinanorth3 denmarkeast eastasia eastus eastus2 \
     francecentral francesouth germanynorth germanywestcentral indonesiacentral israelcentral italynorth \
     japaneast japanwest jioindiacentral jioindiawest koreacentral koreasouth malaysiawest mexicocentral \
     newzealandnorth northcentralus northeurope norwayeast norwaywest polandcentral qatarcentral \
     southafricanorth southafricawest southcentralus southeastasia southindia spaincentral swedencentral \
     swedensouth switzerlandnorth switzerlandwest taiwannorth uaecentral uaenorth uksouth ukwest \
     usdodcentral \
     usdodeast usgovarizona usgoviowa usgovtexas usgovvirginia westcentralus westeurope westindia westus \
     westus2 westus3";

const GCP: &str = "africa-south1 asia asia-east1 asia-east2 asia-northeast1 asia-northeast2 asia-northeast3 \
     asia-south1 asia-south2 asia-southeast1 asia-southeast2 asia-southeast3 australia-southeast1 \
     australia-southeast2 eu europe-central2 europe-north1 europe-north2 europe-southwest1 europe-west1 \
     europe-west10 europe-west12 europe-west2 europe-west3 europe-west4 europe-west6 europe-west8 \
     europe-west9 \
     me-central1 me-central2 me-west1 northamerica-northeast1 northamerica-northeast2 northamerica-south1 \
     southamerica-east1 southamerica-west1 us us-central1 us-east1 us-east4 us-east5 us-south1 us-west1 \
     us-west2 us-west3 us-west4";

/// The regions of a cloud.
pub fn regions(cloud: &str) -> impl Iterator<Item = &'static str> {
    let names = match cloud {
        "aws" => AWS,
        "azure" => AZURE,
        "gcp" => GCP,
        _ => "",
    };
    names.split_ascii_whitespace()
}

/// The cloud that has a region of this name.
#[must_use]
pub fn cloud_of(region: &str) -> Option<&'static str> {
    CLOUDS.into_iter().find(|cloud| regions(cloud).any(|known| known == region))
}

/// The region that a zone is in: `us-east-1` of `us-east-1a`, of `us-east-1-bos-1a`, and so on.
#[must_use]
pub fn of_zone(zone: &str) -> Option<&'static str> {
    let is_of = |region: &str| {
        let rest = zone.strip_prefix(region).unwrap_or_default();
        let letter = |rest: &str| rest.len() == 1 && rest.starts_with(|c: char| c.is_ascii_lowercase());
        match rest.strip_prefix('-') {
            // Of Google Cloud; and zones of AWS that lie in another town.
            Some(rest) => {
                letter(rest) || (rest.len() > 3 && rest.ends_with(|c: char| c.is_ascii_lowercase()))
            }
            None => letter(rest),
        }
    };
    let numbered = |region: &&str| region.ends_with(|c: char| c.is_ascii_digit());
    ["aws", "gcp"].into_iter().flat_map(regions).filter(numbered).find(|region| is_of(region))
}

/// The cloud that a word for a provider means, by its own name or another one of it.
#[must_use]
pub fn meant(provider: &str) -> Option<&'static str> {
    let joins = |c: char| if c.is_whitespace() || c == '_' { '-' } else { c };
    let word: String = provider.trim().chars().map(joins).collect::<String>().to_ascii_lowercase();
    let own = CLOUDS.into_iter().find(|cloud| *cloud == word);
    own.or_else(|| ALIASES.iter().find(|(alias, _)| *alias == word).map(|(_, cloud)| *cloud))
}

/// The cloud a site is in: by its provider, else by its region.
#[must_use]
pub fn cloud(site: &Site) -> Option<&'static str> {
    let by_region = site.region.as_deref().and_then(cloud_of);
    match site.provider.as_deref() {
        None => by_region,
        // A slip of the pen is still in that cloud; a provider of another name may call its regions anything.
        Some(provider) => meant(provider).or(by_region.filter(|cloud| is_slip(provider, cloud))),
    }
}

fn is_slip(word: &str, cloud: &str) -> bool {
    let word = word.trim().to_ascii_lowercase();
    word.get(..1) == cloud.get(..1) && word.len().abs_diff(cloud.len()) <= 2
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn a_site_is_in_the_cloud_of_its_provider_or_of_its_region() {
        let site = |provider: Option<&str>, region: Option<&str>| -> Site {
            serde_json::from_value(json!({"role": "active", "provider": provider, "region": region})).unwrap()
        };
        for (provider, region, expected) in [
            (Some("aws"), Some("nowhere"), Some("aws")),
            (Some("Amazon Web Services"), None, Some("aws")),
            (None, Some("us-east-1"), Some("aws")),
            (None, Some("us-east1"), Some("gcp")),
            (None, Some("eastus"), Some("azure")),
            (Some("asw"), Some("us-east-1"), Some("aws")),
            (Some("openstack"), Some("us-east-1"), None),
            (Some("onprem"), Some("hall-1"), None),
            (None, None, None),
        ] {
            assert_eq!(cloud(&site(provider, region)), expected, "{provider:?} {region:?}");
        }
    }

    #[test]
    fn a_zone_is_in_its_region() {
        for (zone, region) in [
            ("us-east-1a", Some("us-east-1")),
            ("us-west-2-lax-1a", Some("us-west-2")),
            ("us-central1-a", Some("us-central1")),
            ("europe-west12-b", Some("europe-west12")),
            ("us-east-1", None),
            ("us-east-12", None),
            ("us-east-1ab", None),
            ("eastus2", None),
            ("ams", None),
            ("", None),
        ] {
            assert_eq!(of_zone(zone), region, "{zone}");
        }
    }

    #[test]
    fn no_region_is_in_two_clouds() {
        let all: Vec<_> = CLOUDS.into_iter().flat_map(regions).collect();
        let unique: std::collections::BTreeSet<_> = all.iter().collect();
        assert!(all.len() == unique.len() && all.len() > 130, "{}", all.len());
    }
}
