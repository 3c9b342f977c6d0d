//! The one HTTP client of all calls to AWS, for the SDKs as well. Must never send a request twice, follow a
//! redirect, or call a request unsent that may have arrived.

use std::error::Error as StdError;
use std::sync::{Arc, OnceLock};
use std::time::Duration;

use aws_smithy_runtime_api::client::http::{
    HttpConnector, HttpConnectorFuture, HttpConnectorSettings, SharedHttpClient, SharedHttpConnector,
    http_client_fn,
};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_types::body::SdkBody;
use bytes::{Bytes, BytesMut};

/// Longest time to establish a connection.
const CONNECT: Duration = Duration::from_secs(5);
/// Longest time of a whole exchange unless the call says otherwise.
const EXCHANGE: Duration = Duration::from_secs(30);
/// A connection is used again within this time only: an older one may be closed by the other side just when
/// a request is sent, which would be doubtful for nothing.
const REUSE: Duration = Duration::from_secs(2);
/// Longest answer that is read.
const ANSWER: usize = 16 * 1024 * 1024;

/// Why there is no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum NoAnswer {
    /// No connection came about; nothing was sent.
    #[error("no connection: {0}")]
    NotSent(String),
    /// The request was sent, or may have been.
    #[error("no answer: {0}")]
    Lost(String),
    /// The request could not be built.
    #[error("the request could not be built: {0}")]
    Unbuilt(String),
}

/// Sends requests. Cheap to clone; the connection machinery is set up at the first request.
#[derive(Debug, Clone, Default)]
pub(super) struct Transport(Arc<OnceLock<reqwest::Client>>);

impl Transport {
    /// Sends a request once and reads the whole answer.
    pub(super) async fn exchange(
        &self,
        request: http::Request<Bytes>,
        limit: Option<Duration>,
    ) -> Result<http::Response<Bytes>, NoAnswer> {
        let request = request.map(reqwest::Body::from);
        let request = reqwest::Request::try_from(request).map_err(|error| NoAnswer::Unbuilt(root(&error)))?;
        let client = self.client()?;
        let exchange = async {
            let response = client.execute(request).await.map_err(|error| unanswered(&error))?;
            read(response).await
        };
        let limit = limit.unwrap_or(EXCHANGE);
        tokio::time::timeout(limit, exchange)
            .await
            .unwrap_or_else(|_| Err(NoAnswer::Lost(format!("nothing came within {} s", limit.as_secs()))))
    }

    /// The same client as the SDKs want it.
    pub(super) fn for_sdk(&self) -> SharedHttpClient {
        let transport = self.clone();
        http_client_fn(move |settings: &HttpConnectorSettings, _| {
            // Of the two times only the second says how long an answer may take.
            let connect = settings.connect_timeout().unwrap_or_default();
            let limit = settings.read_timeout().map(|read| read + connect);
            SharedHttpConnector::new(SdkConnector { transport: transport.clone(), limit })
        })
    }

    fn client(&self) -> Result<reqwest::Client, NoAnswer> {
        if let Some(client) = self.0.get() {
            return Ok(client.clone());
        }
        let client = reqwest::Client::builder()
            .user_agent(concat!("drctl/", env!("CARGO_PKG_VERSION")))
            .redirect(reqwest::redirect::Policy::none())
            .retry(reqwest::retry::never())
            .pool_idle_timeout(REUSE)
            .connect_timeout(CONNECT)
            .build()
            .map_err(|error| NoAnswer::Unbuilt(root(&error)))?;
        Ok(self.0.get_or_init(|| client).clone())
    }
}

async fn read(mut response: reqwest::Response) -> Result<http::Response<Bytes>, NoAnswer> {
    let mut body = BytesMut::new();
    while let Some(chunk) = response.chunk().await.map_err(|error| NoAnswer::Lost(root(&error)))? {
        if body.len() + chunk.len() > ANSWER {
            return Err(NoAnswer::Lost(format!("its answer is longer than {ANSWER} bytes")));
        }
        body.extend_from_slice(&chunk);
    }
    let mut read = http::Response::new(body.freeze());
    *read.status_mut() = response.status();
    *read.headers_mut() = std::mem::take(response.headers_mut());
    Ok(read)
}

fn unanswered(error: &reqwest::Error) -> NoAnswer {
    if error.is_builder() {
        NoAnswer::Unbuilt(root(error))
    } else if error.is_connect() {
        NoAnswer::NotSent(root(error))
    } else {
        NoAnswer::Lost(root(error))
    }
}

/// The innermost cause, which is what a person needs: the layers above only repeat that there was an error.
fn root(error: &(dyn StdError + 'static)) -> String {
    let mut cause = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// A connector for the SDKs, which hand over requests as they are to be sent.
#[derive(Debug)]
struct SdkConnector {
    transport: Transport,
    limit: Option<Duration>,
}

impl HttpConnector for SdkConnector {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let (transport, limit) = (self.transport.clone(), self.limit);
        HttpConnectorFuture::new(async move {
            let request = request.try_into_http1x().map_err(|error| ConnectorError::user(error.into()))?;
            let (parts, body) = request.into_parts();
            let body = body.bytes().map(Bytes::copy_from_slice);
            let body = body.ok_or_else(|| ConnectorError::user("the body is a stream".into()))?;
            let request = http::Request::from_parts(parts, body);
            let answer = transport.exchange(request, limit).await.map_err(connector_error)?;
            HttpResponse::try_from(answer.map(SdkBody::from))
                .map_err(|error| ConnectorError::other(error.into(), None))
        })
    }
}

fn connector_error(why: NoAnswer) -> ConnectorError {
    match why {
        NoAnswer::NotSent(_) => ConnectorError::io(Box::new(why)).never_connected(),
        NoAnswer::Lost(_) => ConnectorError::io(Box::new(why)),
        NoAnswer::Unbuilt(_) => ConnectorError::user(Box::new(why)),
    }
}
