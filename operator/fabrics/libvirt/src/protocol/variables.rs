//! What a machine's firmware remembers, as it travels.

use std::io::{self, Read as _, Write as _};

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use flate2::Compression;
use flate2::read::ZlibDecoder;
use flate2::write::ZlibEncoder;
use serde::{Deserialize, Serialize};

/// As much as any firmware has room for.
const MOST: u64 = 64 << 20;

/// What a machine's firmware remembers, such as from what to boot. Most of it is empty.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
pub struct Variables {
    /// The seal of the file that it was read from.
    pub seal: String,
    /// The file, deflated, in base64.
    deflated: String,
}

impl Variables {
    /// What a file with this seal holds.
    ///
    /// # Errors
    /// When it is larger than such a file can be.
    pub fn new(seal: String, content: &[u8]) -> io::Result<Self> {
        if content.len() as u64 > MOST {
            return Err(too_large());
        }
        let mut deflated = ZlibEncoder::new(Vec::new(), Compression::fast());
        deflated.write_all(content)?;
        let deflated = STANDARD.encode(deflated.finish()?);
        Ok(Self { seal, deflated })
    }

    /// What the file held.
    ///
    /// # Errors
    /// When that was garbled on its way, or is larger than such a file can be.
    pub fn content(&self) -> io::Result<Vec<u8>> {
        let garbled = |error| io::Error::new(io::ErrorKind::InvalidData, error);
        let deflated = STANDARD.decode(&self.deflated).map_err(garbled)?;
        let mut content = Vec::new();
        let mut inflated = ZlibDecoder::new(&*deflated).take(MOST + 1);
        inflated.read_to_end(&mut content)?;
        if content.len() as u64 > MOST {
            return Err(too_large());
        }
        Ok(content)
    }
}

fn too_large() -> io::Error {
    let why = format!("firmware variables of more than {} MiB", MOST >> 20);
    io::Error::new(io::ErrorKind::FileTooLarge, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_travels_is_small_and_comes_back_as_it_was() {
        // SPEC: PR-4
        let mut file = vec![0xff; 540_672];
        file[4096..8192].copy_from_slice(&[7; 4096]);
        let variables = Variables::new("1:2:3".into(), &file).unwrap();
        assert_eq!(variables.content().unwrap(), file);
        let sent = serde_json::to_string(&variables).unwrap();
        assert!(sent.len() < 16_384, "{}", sent.len());
        assert_eq!(serde_json::from_str::<Variables>(&sent).unwrap(), variables);
    }

    #[test]
    fn what_is_garbled_or_would_fill_the_memory_is_refused() {
        let sent = |deflated: &str| serde_json::json!({"seal": "", "deflated": deflated});
        for deflated in ["no base64!", "AAAA"] {
            let variables: Variables = serde_json::from_value(sent(deflated)).unwrap();
            assert!(variables.content().is_err(), "{deflated}");
        }
        let much = vec![0; usize::try_from(MOST).unwrap() + 1];
        assert!(Variables::new(String::new(), &much).is_err());
        let mut bomb = ZlibEncoder::new(Vec::new(), Compression::fast());
        bomb.write_all(&much).unwrap();
        let bomb = STANDARD.encode(bomb.finish().unwrap());
        let variables: Variables = serde_json::from_value(sent(&bomb)).unwrap();
        let error = variables.content().unwrap_err();
        assert_eq!(error.kind(), io::ErrorKind::FileTooLarge);
    }
}
