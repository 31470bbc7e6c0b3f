//! Where a sealed text belongs.

/// The place of a secret, which its seal is bound to. The parts are the texts of ids.
#[derive(Debug, Clone)]
pub struct Record {
    pub workspace: String,
    pub vault: String,
    pub credential: String,
    /// Goes up with each change, so that an older seal can't be put back unnoticed beside a newer row.
    pub version: i64,
}

impl Record {
    /// The associated data of an encryption. Each part stands behind its length, so that no two records
    /// have the same bytes.
    pub(crate) fn bytes(&self, purpose: &str) -> Vec<u8> {
        let version = self.version.to_string();
        let parts = [
            "hostler 1",
            purpose,
            &self.workspace,
            &self.vault,
            &self.credential,
            &version,
        ];
        let mut bytes = Vec::new();
        for part in parts {
            bytes.extend_from_slice(&(part.len() as u64).to_be_bytes());
            bytes.extend_from_slice(part.as_bytes());
        }
        bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn no_two_records_have_the_same_bytes() {
        let record = |workspace: &str, vault: &str| Record {
            workspace: workspace.to_owned(),
            vault: vault.to_owned(),
            credential: "c".to_owned(),
            version: 1,
        };
        assert_ne!(record("ab", "c").bytes("p"), record("a", "bc").bytes("p"));
        assert_ne!(record("a", "b").bytes("p"), record("a", "b").bytes("q"));
    }
}
