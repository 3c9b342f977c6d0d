//! Questions every action of `aws.rds` asks, in one place and region. Must never change anything.

use aws_sdk_rds::Client;
use aws_sdk_rds::types::{DbCluster, DbInstance, GlobalCluster};

use super::state::{busy, none_such};
use crate::model::run::Failure;
use crate::ports::AttemptContext;
use crate::providers::aws::call::Call;
use crate::providers::aws::clients::Aws;
use crate::providers::aws::failure::{Asked, Error};
use crate::providers::aws::place::Place;

/// Version of the RDS API.
const RDS: &str = "2014-10-31";

/// RDS in one place, for one attempt.
pub(super) struct Session<'a> {
    pub(super) aws: &'a Aws,
    pub(super) client: Client,
    pub(super) place: Place,
    pub(super) context: &'a AttemptContext,
}

impl<'a> Session<'a> {
    /// Opens a session in the place an action names.
    ///
    /// # Errors
    /// When the region or account makes no sense, or there are no credentials.
    pub(super) async fn open(
        aws: &'a Aws,
        region: &str,
        account: Option<&String>,
        context: &'a AttemptContext,
    ) -> Result<Self, Failure> {
        Self::at(aws, Place::of(region, account, context)?, context).await
    }

    /// The same account in another region.
    ///
    /// # Errors
    /// When the region makes no sense.
    pub(super) async fn elsewhere(&self, region: &str) -> Result<Self, Failure> {
        let place = Place::of(region, self.place.account.as_ref(), self.context)?;
        Self::at(self.aws, place, self.context).await
    }

    async fn at(aws: &'a Aws, place: Place, context: &'a AttemptContext) -> Result<Self, Failure> {
        let config = aws.sdk("rds", &place, context).await?;
        Ok(Self { aws, client: Client::new(&config), place, context })
    }

    /// Names a question.
    pub(super) fn read(&self, operation: &'static str) -> Asked {
        self.aws.read("rds", operation, &self.place, self.context)
    }

    /// Names an order.
    pub(super) fn change(&self, operation: &'static str) -> Asked {
        self.aws.change("rds", operation, &self.place, self.context)
    }

    /// The instance of an identifier or ARN, if there is one.
    pub(super) async fn instance(&self, identifier: &str) -> Result<Option<DbInstance>, Failure> {
        let asked = self.read("DescribeDBInstances");
        match self.client.describe_db_instances().db_instance_identifier(identifier).send().await {
            Ok(found) => Ok(found.db_instances.unwrap_or_default().into_iter().next()),
            Err(error) => absent(error.into(), &asked, &["DBInstanceNotFound", "DBInstanceNotFoundFault"]),
        }
    }

    /// The instance, which must be there.
    pub(super) async fn present_instance(&self, identifier: &str) -> Result<DbInstance, Failure> {
        let found = self.instance(identifier).await?;
        found.ok_or_else(|| none_such("instance", identifier, &self.place.region))
    }

    /// The cluster of an identifier or ARN, if there is one.
    pub(super) async fn cluster(&self, identifier: &str) -> Result<Option<DbCluster>, Failure> {
        let asked = self.read("DescribeDBClusters");
        match self.client.describe_db_clusters().db_cluster_identifier(identifier).send().await {
            Ok(found) => Ok(found.db_clusters.unwrap_or_default().into_iter().next()),
            Err(error) => absent(error.into(), &asked, &["DBClusterNotFoundFault", "DBClusterNotFound"]),
        }
    }

    /// The cluster, which must be there.
    pub(super) async fn present_cluster(&self, identifier: &str) -> Result<DbCluster, Failure> {
        let found = self.cluster(identifier).await?;
        found.ok_or_else(|| none_such("cluster", identifier, &self.place.region))
    }

    /// The global cluster, which must be there.
    pub(super) async fn present_global_cluster(&self, identifier: &str) -> Result<GlobalCluster, Failure> {
        let asked = self.read("DescribeGlobalClusters");
        let sent = self.client.describe_global_clusters().global_cluster_identifier(identifier).send().await;
        let found = match sent {
            Ok(found) => found.global_clusters.unwrap_or_default().into_iter().next(),
            Err(error) => absent(error.into(), &asked, &["GlobalClusterNotFoundFault"])?,
        };
        found.ok_or_else(|| none_such("global cluster", identifier, &self.place.region))
    }

    /// The address RDS makes its own call to another region with; none within one region.
    pub(super) async fn presigned(
        &self,
        operation: &'static str,
        source_region: &str,
        parameters: &[(&str, &str)],
        kms_key_id: Option<&String>,
    ) -> Result<Option<String>, Failure> {
        if source_region == self.place.region {
            return Ok(None);
        }
        let source = Place::of(source_region, self.place.account.as_ref(), self.context)?;
        let fixed = [("Action", operation), ("Version", RDS), ("DestinationRegion", &self.place.region)];
        let key = kms_key_id.map(|key| ("KmsKeyId", key.as_str()));
        let mut call = Call::rest("rds", http::Method::GET, "/");
        for (name, value) in fixed.into_iter().chain(parameters.iter().copied()).chain(key) {
            call = call.parameter(name, value);
        }
        self.aws.presigned(&call, &source, self.context).await.map(Some)
    }

    /// What a refused order means: a state in which it cannot be done is waited for.
    pub(super) fn refused(asked: &Asked, error: Error) -> Failure {
        match error.code() {
            Some(code) if code.starts_with("Invalid") && code.contains("State") => {
                busy(asked.failure(error).message)
            }
            _ => asked.failure(error),
        }
    }
}

/// Absence is an answer, not a failure.
pub(super) fn absent<T>(error: Error, asked: &Asked, codes: &[&str]) -> Result<Option<T>, Failure> {
    match error.code() {
        Some(code) if codes.contains(&code) => Ok(None),
        _ => Err(asked.failure(error)),
    }
}
