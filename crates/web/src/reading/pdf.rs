//! The text of a PDF.

/// The pages' text, in their order.
pub(super) fn read(page: &[u8]) -> Result<String, String> {
    let text = pdf_extract::extract_text_from_mem(page).map_err(|error| match error {
        pdf_extract::OutputError::PdfError(pdf_extract::Error::Decryption(_)) => {
            "the PDF is encrypted".to_owned()
        }
        pdf_extract::OutputError::FormatError(_)
        | pdf_extract::OutputError::IoError(_)
        | pdf_extract::OutputError::PdfError(_) => "the PDF is damaged".to_owned(),
    })?;
    let lines: Vec<&str> = text.lines().map(str::trim_end).collect();
    let text = lines.join("\n").trim().to_owned();
    Ok(match text.is_empty() {
        true => "(The PDF holds no text; its pages may be pictures.)".to_owned(),
        false => text,
    })
}
