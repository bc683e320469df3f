//! Writes pictures of textured shapes with their masks: `cargo run -p dapple-data --example shapes -- FOLDER [COUNT [SIDE]]`

use std::error::Error;

fn main() -> Result<(), Box<dyn Error>> {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let folder = arguments.first().ok_or("usage: shapes FOLDER [COUNT [SIDE]]")?;
    let number = |i: usize, default| arguments.get(i).map_or(Ok(default), |text| text.parse());
    let (count, side) = (number(1, 64)?, number(2, 96)?);
    dapple_data::synthetic::write(folder, 0, count, side, side)?;
    println!("{count} pairs in {folder}/images and {folder}/masks");
    Ok(())
}
