"""What a library can be asked, by what it is about; `Catalog` answers all of it.

encoders.py  encoders, their generations and embeddings
words.py     what is said of photos: captions and labels
"""
