//! Sealing and opening with one master key or, while it is being changed, with several.

use aws_lc_rs::aead::{AES_256_GCM, Aad, NONCE_LEN, Nonce, RandomizedNonceKey};
use aws_lc_rs::{hmac, rand};
use zeroize::Zeroizing;

use crate::master_key::KEY_BYTES;
use crate::{KeyId, MasterKey, Record, Sealed};

/// The first key seals, any opens.
#[derive(Debug)]
pub struct Keyring {
    current: MasterKey,
    older: Vec<MasterKey>,
}

/// The system has no randomness to give: nothing is sealed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the secret can't be sealed: the system's random numbers are not available")]
pub struct SealError;

/// Why a secret stays closed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum OpenError {
    #[error("it was sealed with the master key {0}, which this server does not have")]
    UnknownKey(KeyId),
    /// The wrong record, or changed bytes: the two can't be told apart.
    #[error("its seal is broken: it was changed, or belongs to another record")]
    Broken,
    /// Opened, and not closed again under another key.
    #[error(transparent)]
    NotResealed(#[from] SealError),
}

impl Keyring {
    pub fn new(current: MasterKey, older: Vec<MasterKey>) -> Self {
        Self { current, older }
    }

    /// The key that seals.
    pub fn current(&self) -> &KeyId {
        self.current.id()
    }

    /// Whether it opens what the key of this name has sealed.
    pub fn has(&self, key_id: &str) -> bool {
        self.keys().any(|key| key.id().as_str() == key_id)
    }

    /// # Errors
    /// When the system has no randomness to give.
    pub fn seal(&self, record: &Record, secret: &[u8]) -> Result<Sealed, SealError> {
        let mut data_key = Zeroizing::new([0; KEY_BYTES]);
        rand::fill(data_key.as_mut_slice()).map_err(|_| SealError)?;
        Ok(Sealed {
            key_id: self.current.id().clone(),
            data_key: self.wrap(record, data_key.as_slice())?,
            secret: encrypt(data_key.as_slice(), &record.bytes("secret"), secret)?,
        })
    }

    /// # Errors
    /// When the key is not here, or anything about the record or the sealed bytes is not as it was.
    pub fn open(&self, record: &Record, sealed: &Sealed) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let data_key = self.unwrap_key(record, sealed)?;
        decrypt(&data_key, &record.bytes("secret"), &sealed.secret)
    }

    /// The same secret under the current master key, without opening it. None: it is under it already.
    ///
    /// # Errors
    /// As [`Keyring::open`], and as [`Keyring::seal`].
    pub fn rewrap(&self, record: &Record, sealed: &Sealed) -> Result<Option<Sealed>, OpenError> {
        if sealed.key_id == *self.current.id() {
            return Ok(None);
        }
        let data_key = self.unwrap_key(record, sealed)?;
        Ok(Some(Sealed {
            key_id: self.current.id().clone(),
            data_key: self.wrap(record, &data_key)?,
            secret: sealed.secret.clone(),
        }))
    }

    /// A name for a secret that says nothing about it to whoever lacks the master key: the same for the same
    /// secret, as long as that is the current one.
    pub fn name_of(&self, secret: &[u8]) -> String {
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.current.naming());
        let tag = hmac::sign(&key, secret);
        tag.as_ref()
            .iter()
            .map(|byte| format!("{byte:02x}"))
            .collect()
    }

    fn keys(&self) -> impl Iterator<Item = &MasterKey> {
        std::iter::once(&self.current).chain(&self.older)
    }

    fn wrap(&self, record: &Record, data_key: &[u8]) -> Result<Vec<u8>, SealError> {
        encrypt(self.current.wrapping(), &record.bytes("data key"), data_key)
    }

    fn unwrap_key(
        &self,
        record: &Record,
        sealed: &Sealed,
    ) -> Result<Zeroizing<Vec<u8>>, OpenError> {
        let key = self
            .keys()
            .find(|key| *key.id() == sealed.key_id)
            .ok_or_else(|| OpenError::UnknownKey(sealed.key_id.clone()))?;
        decrypt(key.wrapping(), &record.bytes("data key"), &sealed.data_key)
    }
}

/// Nonce, ciphertext and tag. A data key encrypts one secret, and a master key fewer data keys than random
/// nonces of 96 bits allow by far.
fn encrypt(key: &[u8], record: &[u8], plain: &[u8]) -> Result<Vec<u8>, SealError> {
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_| SealError)?;
    // Encrypted in place: the plain text is never left behind in memory that grows.
    let mut text = Vec::with_capacity(plain.len() + AES_256_GCM.tag_len());
    text.extend_from_slice(plain);
    let nonce = key
        .seal_in_place_append_tag(Aad::from(record), &mut text)
        .map_err(|_| SealError)?;
    Ok([nonce.as_ref().as_slice(), &text].concat())
}

fn decrypt(key: &[u8], record: &[u8], sealed: &[u8]) -> Result<Zeroizing<Vec<u8>>, OpenError> {
    let (nonce, text) = sealed
        .split_at_checked(NONCE_LEN)
        .ok_or(OpenError::Broken)?;
    let nonce = Nonce::try_assume_unique_for_key(nonce).map_err(|_| OpenError::Broken)?;
    let key = RandomizedNonceKey::new(&AES_256_GCM, key).map_err(|_| OpenError::Broken)?;
    let mut text = Zeroizing::new(text.to_vec());
    let length = key
        .open_in_place(nonce, Aad::from(record), &mut text)
        .map_err(|_| OpenError::Broken)?
        .len();
    text.truncate(length);
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Record {
        Record {
            workspace: "wrkspc_1".to_owned(),
            vault: "vlt_1".to_owned(),
            credential: "vcrd_1".to_owned(),
            version: 1,
        }
    }

    fn key() -> MasterKey {
        MasterKey::parse(&MasterKey::generate().unwrap()).unwrap()
    }

    #[test]
    fn a_secret_opens_where_it_was_sealed() {
        let keyring = Keyring::new(key(), Vec::new());
        let sealed = keyring.seal(&record(), b"s3cret").unwrap();
        let stored: Sealed = sealed.to_string().parse().unwrap();
        assert_eq!(stored, sealed);
        assert_eq!(*keyring.open(&record(), &stored).unwrap(), b"s3cret");
        assert_ne!(keyring.seal(&record(), b"s3cret").unwrap(), sealed);
    }

    #[test]
    fn a_secret_has_one_name_under_one_key() {
        let keyring = Keyring::new(key(), Vec::new());
        assert_eq!(keyring.name_of(b"s3cret"), keyring.name_of(b"s3cret"));
        assert_ne!(keyring.name_of(b"s3cret"), keyring.name_of(b"other"));
        let other = Keyring::new(key(), Vec::new());
        assert_ne!(keyring.name_of(b"s3cret"), other.name_of(b"s3cret"));
    }

    #[test]
    fn it_opens_nowhere_else() {
        let keyring = Keyring::new(key(), Vec::new());
        let sealed = keyring.seal(&record(), b"s3cret").unwrap();
        for elsewhere in [
            Record {
                workspace: "wrkspc_2".to_owned(),
                ..record()
            },
            Record {
                vault: "vlt_2".to_owned(),
                ..record()
            },
            Record {
                credential: "vcrd_2".to_owned(),
                ..record()
            },
            Record {
                version: 2,
                ..record()
            },
        ] {
            assert_eq!(
                keyring.open(&elsewhere, &sealed).unwrap_err(),
                OpenError::Broken
            );
        }
        let unknown = OpenError::UnknownKey(keyring.current().clone());
        assert_eq!(
            Keyring::new(key(), Vec::new())
                .open(&record(), &sealed)
                .unwrap_err(),
            unknown
        );
    }

    #[test]
    fn each_changed_bit_is_noticed() {
        let keyring = Keyring::new(key(), Vec::new());
        let sealed = keyring.seal(&record(), b"s").unwrap();
        for bit in 0..sealed.secret.len() * 8 {
            let mut changed = sealed.clone();
            changed.secret[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                keyring.open(&record(), &changed).unwrap_err(),
                OpenError::Broken
            );
        }
        for bit in 0..sealed.data_key.len() * 8 {
            let mut changed = sealed.clone();
            changed.data_key[bit / 8] ^= 1 << (bit % 8);
            assert_eq!(
                keyring.open(&record(), &changed).unwrap_err(),
                OpenError::Broken
            );
        }
        let short = Sealed {
            secret: vec![0; 5],
            ..sealed
        };
        assert_eq!(
            keyring.open(&record(), &short).unwrap_err(),
            OpenError::Broken
        );
    }

    #[test]
    fn a_new_master_key_takes_over_without_opening_the_secret() {
        let (old_text, new_text) = (
            MasterKey::generate().unwrap(),
            MasterKey::generate().unwrap(),
        );
        let parse = |text: &str| MasterKey::parse(text).unwrap();
        let old = Keyring::new(parse(&old_text), Vec::new());
        let sealed = old.seal(&record(), b"s3cret").unwrap();
        let both = Keyring::new(parse(&new_text), vec![parse(&old_text)]);
        assert_eq!(*both.open(&record(), &sealed).unwrap(), b"s3cret");
        let rewrapped = both.rewrap(&record(), &sealed).unwrap().unwrap();
        assert_eq!(rewrapped.secret, sealed.secret);
        assert_eq!(both.rewrap(&record(), &rewrapped).unwrap(), None);
        let new = Keyring::new(parse(&new_text), Vec::new());
        assert_eq!(*new.open(&record(), &rewrapped).unwrap(), b"s3cret");
    }
}
