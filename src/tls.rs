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

    use crate::error::{Error, Fallible};

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
        let is_mozillas = cfg!(all(feature = "rustls", not(feature = "platform-verifier")));
        let roots = roots.unwrap_or(match is_mozillas {
            true => RootCerts::WebPki,
            false => RootCerts::PlatformVerifier,
        });
        let tls = TlsConfig::builder().provider(provider).root_certs(roots);
        config.tls_config(tls.build())
    }

    pub(crate) fn roots(pem: &[u8]) -> Fallible<RootCerts> {
        let mut certificates = Vec::new();
        for item in parse_pem(pem) {
            let item = item.map_err(|error| {
                Error::configuration(&format!("the root certificates are no PEM: {error}"))
            })?;
            if let PemItem::Certificate(certificate) = item {
                certificates.push(certificate);
            }
        }
        if certificates.is_empty() {
            return Err(Error::configuration(
                "there is no certificate among the root certificates",
            ));
        }
        Ok(RootCerts::from(certificates))
    }
}

#[cfg(not(any(feature = "rustls", feature = "native-tls")))]
mod without {
    use ureq::config::ConfigBuilder;
    use ureq::typestate::AgentScope;

    use crate::error::{Error, Fallible};

    /// There are none.
    pub(crate) enum RootCerts {}

    pub(crate) fn configure(
        config: ConfigBuilder<AgentScope>,
        _: Option<RootCerts>,
    ) -> ConfigBuilder<AgentScope> {
        config
    }

    pub(crate) fn roots(_: &[u8]) -> Fallible<RootCerts> {
        Err(Error::configuration(
            "root certificates need the feature `rustls` or `native-tls` of h2ogpt",
        ))
    }
}
