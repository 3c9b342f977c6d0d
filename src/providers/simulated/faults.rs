//! What a scenario's faults mean at a moment of a run: which places answer, and since when replication is
//! cut.

use super::chance::Chance;
use super::places::{Place, Places};
use super::scenario::{Fault, Lose, Scenario};
use crate::model::action::Plane;
use crate::model::id::SiteName;
use crate::model::time::{Duration, Timestamp};

/// The faults of a scenario as one run sees them.
#[derive(Clone, Copy)]
pub(super) struct Faults<'a> {
    pub(super) scenario: &'a Scenario,
    pub(super) places: &'a Places,
    pub(super) started_at: Timestamp,
    pub(super) from: Option<&'a SiteName>,
    pub(super) to: Option<&'a SiteName>,
}

impl Faults<'_> {
    /// Says whether a place answers to actions of a plane that is asked.
    pub(super) fn answers(&self, place: &Place, asked: Plane, at: Timestamp) -> bool {
        !self.present(place, at).any(|fault| silences(fault, asked))
    }

    /// Says whether a place does not answer to actions of a plane while a fault lasts.
    pub(super) fn is_silenced(&self, fault: &Fault, place: &Place, asked: Plane) -> bool {
        silences(fault, asked) && self.hits(fault, place)
    }

    /// Since when data no longer gets from one site to another; `None` while it does.
    pub(super) fn cut_since(
        &self,
        source: Option<&SiteName>,
        target: Option<&SiteName>,
        at: Timestamp,
    ) -> Option<Timestamp> {
        let ends = [source, target].into_iter().flatten();
        let cuts = ends.filter_map(|site| {
            let place = Place::Site(site.clone());
            let cutting = self.present(&place, at).filter(|fault| fault.lose != Lose::ControlPlane);
            cutting.map(|fault| self.started_at.plus(fault.at)).min()
        });
        cuts.min()
    }

    fn present<'a>(&'a self, place: &'a Place, at: Timestamp) -> impl Iterator<Item = &'a Fault> {
        let elapsed = at.since(self.started_at);
        let is_present =
            move |fault: &&Fault| fault.at <= elapsed && fault.until.is_none_or(|until| elapsed < until);
        let occurs = |(number, fault): &(usize, &Fault)| {
            fault.probability.is_none_or(|share| {
                let question = ["fault", &number.to_string()];
                share.holds(Chance::of(self.scenario.seed, &question).number())
            })
        };
        let faults = self.scenario.faults.iter().enumerate().filter(occurs).map(|(_, fault)| fault);
        faults.filter(is_present).filter(|fault| self.hits(fault, place))
    }

    fn hits(&self, fault: &Fault, place: &Place) -> bool {
        match place {
            Place::Outside => false,
            Place::Region(region) => fault.region.as_deref() == Some(region),
            Place::Site(site) => {
                let region = self.places.region(site);
                let by_region = fault.region.is_some() && fault.region.as_deref() == region;
                let named = match fault.site.as_deref() {
                    Some("from") => self.from,
                    Some("to") => self.to,
                    Some(name) => return by_region || name == site.as_str(),
                    None => None,
                };
                by_region || named == Some(site)
            }
        }
    }
}

fn silences(fault: &Fault, asked: Plane) -> bool {
    match fault.lose {
        Lose::All | Lose::Network => true,
        Lose::ControlPlane => asked == Plane::Control,
        Lose::DataPlane => asked == Plane::Data,
    }
}

/// A time that lies a duration before another.
pub(super) fn earlier(at: Timestamp, by: Duration) -> Timestamp {
    let millis = i64::try_from(by.as_millis()).unwrap_or(i64::MAX);
    Timestamp::from_millis(at.as_millis().saturating_sub(millis))
}
