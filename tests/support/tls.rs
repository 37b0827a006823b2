//! Certificates made at run time, so that none in the repository can expire.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, SystemTime};

use rcgen::{
    BasicConstraints, CertificateParams, CertifiedIssuer, DnType, ExtendedKeyUsagePurpose, IsCa,
    KeyPair, KeyUsagePurpose, date_time_ymd,
};
use rustls::ServerConfig;
use rustls::crypto::ring;
use rustls::pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer};

const DAY: Duration = Duration::from_secs(24 * 60 * 60);

/// A server's certificate and the authority that signed it.
#[derive(Clone)]
pub struct Identity {
    authority: String,
    config: Arc<ServerConfig>,
}

impl Identity {
    /// A certificate for the names that [`super::server::Server::url`] and loopback go by.
    pub fn localhost() -> Identity {
        Identity::new(&["localhost", "127.0.0.1"])
    }

    /// A certificate for these names, DNS names or IP addresses, and a new authority.
    pub fn new(names: &[&str]) -> Identity {
        // Names of their own, so that a client that trusts one of them finds another one unknown,
        // instead of known with a bad signature.
        static AUTHORITIES: AtomicUsize = AtomicUsize::new(0);
        let number = AUTHORITIES.fetch_add(1, Ordering::Relaxed);
        let mut authority = params(&[], &format!("Test authority {number}"));
        authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
        authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
        let authority_key = KeyPair::generate().expect("key of the authority");
        let authority = CertifiedIssuer::self_signed(authority, authority_key)
            .expect("certificate of the authority");

        let mut server = params(names, "Test server");
        server.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        server.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        server.use_authority_key_identifier_extension = true;
        let server_key = KeyPair::generate().expect("key of the server");
        let certificate = server
            .signed_by(&server_key, &authority)
            .expect("certificate of the server");

        // Not the process-wide default: that belongs to the client under test.
        let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .expect("protocol versions of ring")
            .with_no_client_auth()
            .with_single_cert(
                vec![certificate.der().clone()],
                PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(server_key.serialize_der())),
            )
            .expect("the certificate fits its key");
        Identity {
            authority: authority.pem(),
            config: Arc::new(config),
        }
    }

    /// The certificate of the authority, for a client to trust.
    pub fn ca_pem(&self) -> &str {
        &self.authority
    }

    pub fn server_config(&self) -> &Arc<ServerConfig> {
        &self.config
    }
}

fn params(names: &[&str], common_name: &str) -> CertificateParams {
    let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
    let mut params = CertificateParams::new(names).expect("names of the certificate");
    params
        .distinguished_name
        .push(DnType::CommonName, common_name);
    let now = date_time_ymd(1970, 1, 1)
        + SystemTime::now()
            .duration_since(SystemTime::UNIX_EPOCH)
            .expect("a clock after 1970");
    // Some systems refuse certificates that are valid for longer than 825 days.
    params.not_before = now - DAY;
    params.not_after = now + 365 * DAY;
    params
}
