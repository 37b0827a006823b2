//! TLS as the features of this crate say, and the root certificates that are trusted.

#[cfg(any(feature = "rustls", feature = "native-tls"))]
pub(crate) use with::*;
#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
pub(crate) use without::*;

/// Whether this crate was built with TLS.
pub(crate) const HAS_TLS: bool = cfg!(any(feature = "rustls", feature = "native-tls"));

#[cfg(any(feature = "rustls", feature = "native-tls"))]
mod with {
    use ureq::config::ConfigBuilder;
    pub(crate) use ureq::tls::RootCerts;
    use ureq::tls::{PemItem, TlsConfig, TlsProvider, parse_pem};
    use ureq::typestate::AgentScope;

    use crate::error::{Error, Result};

    /// Sets what ureq does not derive from its features: it would panic, or ignore the platform.
    pub(crate) fn configure(
        config: ConfigBuilder<AgentScope>,
        roots: Option<RootCerts>,
    ) -> ConfigBuilder<AgentScope> {
        let provider = if cfg!(feature = "rustls") {
            TlsProvider::Rustls
        } else {
            TlsProvider::NativeTls
        };
        let default_roots = if cfg!(all(feature = "rustls", not(feature = "platform-verifier"))) {
            RootCerts::WebPki
        } else {
            RootCerts::PlatformVerifier
        };
        let roots = roots.unwrap_or(default_roots);
        let tls = TlsConfig::builder().provider(provider).root_certs(roots);
        config.tls_config(tls.build())
    }

    pub(crate) fn roots(pem: &[u8]) -> Result<RootCerts> {
        let mut certificates = Vec::new();
        for item in parse_pem(pem) {
            let item = item.map_err(|error| {
                Error::configuration(format!("the root certificates are not PEM: {error}"))
            })?;
            if let PemItem::Certificate(certificate) = item {
                certificates.push(certificate);
            }
        }
        if certificates.is_empty() {
            return Err(Error::configuration(
                "the root certificates do not contain a certificate",
            ));
        }
        Ok(RootCerts::from(certificates))
    }
}

#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
mod without {
    use ureq::config::ConfigBuilder;
    use ureq::typestate::AgentScope;

    use crate::error::{Error, Result};

    /// There are none.
    #[derive(Clone)]
    pub(crate) enum RootCerts {}

    pub(crate) fn configure(
        config: ConfigBuilder<AgentScope>,
        _: Option<RootCerts>,
    ) -> ConfigBuilder<AgentScope> {
        config
    }

    pub(crate) fn roots(_: &[u8]) -> Result<RootCerts> {
        Err(Error::configuration(
            "root certificates need the feature `rustls` or `native-tls` of h2ogpt",
        ))
    }
}
