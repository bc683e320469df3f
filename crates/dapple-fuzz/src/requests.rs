//! Bodies of requests to the service.

use dapple_serve::image_in;

/// The media type of the body is the first line. Taking it apart ends with an image that is no longer than the body, or with a
/// refusal.
pub(crate) fn multipart(bytes: &[u8]) {
    let end = bytes.iter().position(|&byte| byte == b'\n').unwrap_or(bytes.len());
    let (kind, body) = bytes.split_at(end);
    let (Ok(kind), Some(body)) = (std::str::from_utf8(kind), body.get(1..)) else { return };
    let image = image_in(kind, body);
    assert!(image.as_ref().is_none_or(|image| !image.is_empty() && image.len() <= body.len()));
    assert_eq!(image, image_in(kind, body));
}

/// A form with fields before and after the image, one with an address, and objects.
pub(crate) fn seeds() -> Vec<Vec<u8>> {
    [
        "multipart/form-data; boundary=xyz\n--xyz\r\nContent-Disposition: form-data; name=\"output\"\r\n\r\ncutout\r\n--xyz\r\n\
         Content-Disposition: form-data; name=\"image\"; filename=\"a.png\"\r\nContent-Type: image/png\r\n\r\n\u{89}PNG\r\n\
         --xyz\r\nContent-Disposition: form-data; name=\"threshold\"\r\n\r\n0.5\r\n--xyz--\r\n",
        "multipart/form-data; boundary=\"a b\"\n--a b\r\nContent-Disposition: form-data; name=url\r\n\r\nhttps://a/b\r\n--a b--",
        "application/json\n{\"image\":\"data:image/png;base64,iVBORw0K\",\"output\":[\"mask\",\"areas\"],\"threshold\":0.5}",
        "application/json\n{\"image\":\"iVBO\\r\\nRw\",\"refine\":false,\"class\":null}",
        "image/png\n\u{89}PNG",
    ]
    .map(|seed| seed.as_bytes().to_vec())
    .into()
}
