//! The blocks of a capture file.
//!
//! The crate `pcap-file` writes them. Release 2.0.0 writes a time as nanoseconds whatever the resolution of
//! its interface, and cuts the length of an option to sixteen bits: each interface says nanoseconds here, and
//! no option is longer.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::Duration;

use pcap_file::pcapng::PcapNgWriter;
use pcap_file::pcapng::blocks::enhanced_packet::{EnhancedPacketBlock, EnhancedPacketOption};
use pcap_file::pcapng::blocks::interface_description::{
    InterfaceDescriptionBlock, InterfaceDescriptionOption,
};
use pcap_file::pcapng::blocks::section_header::{SectionHeaderBlock, SectionHeaderOption};
use pcap_file::{DataLink, Endianness, PcapError};

use super::Captured;
use super::entry::{Entry, Place};
use crate::model::HostId;
use crate::trace::Trace;

/// Bytes of an option at most: its length has sixteen bits.
const OPTION_MAX: usize = u16::MAX as usize;
/// Times are multiples of 10^-9 seconds.
const NANOSECONDS: u8 = 9;
/// Packets are captured whole.
const NO_LIMIT: u32 = 0;
/// The directions of a packet's flags.
const INBOUND: u32 = 1;
const OUTBOUND: u32 = 2;

/// A capture file in the making.
pub(super) struct Writer<W: Write> {
    blocks: PcapNgWriter<W>,
    /// That of every interface: tcpdump refuses a file with several.
    link_type: DataLink,
    /// The interfaces of the hosts that have one.
    hosts: BTreeMap<HostId, u32>,
    /// The interfaces that are no host's, by name.
    others: BTreeMap<&'static str, u32>,
}

impl<W: Write> Writer<W> {
    /// The file's beginning: what it is, and an interface for each host; `lost`, and others that are needed.
    /// Where it is of what one host saw, that host's alone.
    pub(super) fn new(
        trace: &Trace,
        seen_by: Option<HostId>,
        captured: &Captured,
        comment: &str,
        out: W,
    ) -> io::Result<Self> {
        let mut options: Vec<_> =
            comments(comment).map(|text| SectionHeaderOption::Comment(owned(text))).collect();
        if captured.missing > 0 {
            let missing = format!(
                "packets that are not here, since the trace does not hold them: {}",
                captured.missing
            );
            options.push(SectionHeaderOption::Comment(Cow::Owned(missing)));
        }
        let program = concat!("faultwire ", env!("CARGO_PKG_VERSION"));
        options.push(SectionHeaderOption::UserApplication(Cow::Borrowed(program)));
        let section =
            SectionHeaderBlock { endianness: Endianness::Little, options, ..SectionHeaderBlock::default() };
        let blocks = PcapNgWriter::with_section_header(out, section).map_err(io_error)?;
        let link_type = link_type(trace);
        let mut writer = Writer { blocks, link_type, hosts: BTreeMap::new(), others: BTreeMap::new() };
        for (host, name) in (0..).map(HostId).zip(trace.hosts()) {
            if seen_by.is_none_or(|it| it == host) {
                let about = format!("what left the host {name} and what arrived there");
                let number = writer.interface(name, &about)?;
                writer.hosts.insert(host, number);
            }
        }
        if seen_by.is_none() {
            writer.other("lost", "what did not arrive: dropped by a fault, or lost otherwise")?;
        }
        if captured.injected > 0 {
            writer.other("injected", "what the plan put on the wire")?;
        }
        Ok(writer)
    }

    fn interface(&mut self, name: &str, about: &str) -> io::Result<u32> {
        if name.len().max(about.len()) > OPTION_MAX {
            return Err(io::Error::new(io::ErrorKind::InvalidInput, "a host's name is too long for pcapng"));
        }
        let number = self.blocks.interfaces().len();
        let interface = InterfaceDescriptionBlock {
            linktype: self.link_type,
            snaplen: NO_LIMIT,
            options: vec![
                InterfaceDescriptionOption::IfName(Cow::Borrowed(name)),
                InterfaceDescriptionOption::IfDescription(Cow::Borrowed(about)),
                InterfaceDescriptionOption::IfTsResol(NANOSECONDS),
            ],
        };
        self.blocks.write_pcapng_block(interface).map_err(io_error)?;
        u32::try_from(number).map_err(io::Error::other)
    }

    /// The interface of that name that is no host's, made where there is none.
    fn other(&mut self, name: &'static str, about: &str) -> io::Result<u32> {
        if let Some(number) = self.others.get(name) {
            return Ok(*number);
        }
        let number = self.interface(name, about)?;
        self.others.insert(name, number);
        Ok(number)
    }

    fn host(&mut self, host: HostId) -> io::Result<u32> {
        if let Some(number) = self.hosts.get(&host) {
            return Ok(*number);
        }
        // Only in a trace made by hand.
        self.other("?", "hosts that the trace does not name")
    }

    /// A packet at a place.
    pub(super) fn entry(&mut self, entry: &Entry<'_>) -> io::Result<()> {
        let (interface_id, direction) = match entry.place {
            Place::Outbound(host) => (self.host(host)?, Some(OUTBOUND)),
            Place::Inbound(host) => (self.host(host)?, Some(INBOUND)),
            Place::Lost => (self.other("lost", "")?, None),
            Place::Injected => (self.other("injected", "")?, None),
        };
        let said = entry.comments.iter().flat_map(|comment| comments(comment));
        let packet = EnhancedPacketBlock {
            interface_id,
            timestamp: Duration::from_nanos(entry.at.as_nanos()),
            original_len: u32::try_from(entry.bytes.len()).map_err(io::Error::other)?,
            data: Cow::Borrowed(entry.bytes),
            options: direction
                .map(EnhancedPacketOption::Flags)
                .into_iter()
                .chain(said.map(|text| EnhancedPacketOption::Comment(Cow::Borrowed(text))))
                .collect(),
        };
        self.blocks.write_pcapng_block(packet).map_err(io_error)?;
        Ok(())
    }

    pub(super) fn finish(self) -> io::Result<()> {
        self.blocks.into_inner().flush()
    }
}

/// What packets of the file begin with: an IPv4 header, or an IPv6 header where all have one. `RAW`, which
/// allows both, has one number in files and another within libpcap, and release 1.10 takes its second
/// interface for one of another type.
fn link_type(trace: &Trace) -> DataLink {
    let is_v6 = |bytes: &[u8]| bytes.first().is_some_and(|first| first >> 4 == 6);
    let mut packets = trace.sendings().map(|sending| is_v6(sending.bytes)).peekable();
    if packets.peek().is_some() && packets.all(|is_v6| is_v6) { DataLink::IPV6 } else { DataLink::IPV4 }
}

/// A text in as many comments as it needs, none of them empty.
fn comments(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = text;
    std::iter::from_fn(move || {
        let end = (0..=rest.len().min(OPTION_MAX)).rev().find(|index| rest.is_char_boundary(*index))?;
        let (piece, more) = rest.split_at(end);
        rest = more;
        (!piece.is_empty()).then_some(piece)
    })
}

fn owned(text: &str) -> Cow<'static, str> {
    Cow::Owned(text.to_owned())
}

fn io_error(error: PcapError) -> io::Error {
    match error {
        PcapError::IoError(error) => error,
        other => io::Error::other(other),
    }
}
